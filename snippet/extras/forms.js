/*
 * Puts the click's ref into the shop's own forms, so that an order posted by a form carries it.
 *
 *   <script src="forms.js" data-forms="form.checkout, #order" data-field="cnct_ref" data-hosts="pay.example"></script>
 *
 * Forms are chosen by selector (default: form[data-cnct]), and chosen when they are sent: they may be made at any time. A form that is
 * sent to another host than the page's carries the ref only where data-hosts names that host.
 */
(() => {
  window.cnct = window.cnct || function () { (cnct.q = cnct.q || []).push(arguments); };
  const { forms = 'form[data-cnct]', field = 'cnct_ref', hosts = '' } = (document.currentScript || 0).dataset || {};
  const known = [location.host, ...hosts.toLowerCase().split(/\s+/)].filter(Boolean);
  const added = new WeakMap(); // form → our field in it
  let ref;
  let sender; // the button that sends a form right now
  const ask = () => cnct('ref', told => { ref = told; }); // at once, where it is known
  ask();

  // The button has the first say. form.action is not asked: a field may be called so.
  const isMeant = form => {
    if (!ref || !form.matches(forms)) return false;
    const action = sender && sender.form == form && sender.getAttribute('formaction') || form.getAttribute('action');
    const { protocol, host } = new URL(action || location.href, document.baseURI);
    return protocol == 'javascript:' || known.includes(host);
  };

  const on = (type, fill) => addEventListener(type, event => {
    try {
      ask();
      fill(event, event.target);
    } catch (error) { /* a form must be sent, whatever happens to us */ }
  }, true);

  // Every way in which the browser itself collects a form's fields, new FormData(form) included.
  on('formdata', ({ formData }, form) => {
    if (isMeant(form)) formData.set(field, ref);
  });
  // Scripts that collect the fields by themselves.
  on('submit', ({ submitter }, form) => {
    sender = submitter;
    setTimeout(() => { sender = null; });
    if (added.has(form)) added.get(form).remove(); // it may be sent elsewhere this time
    if (!isMeant(form)) return;
    let input = form.querySelector(`[name="${field}"]`);
    if (!input) {
      input = document.createElement('input');
      input.type = 'hidden';
      input.name = field;
      form.append(input);
      added.set(form, input);
    }
    input.value = ref;
  });
})();
