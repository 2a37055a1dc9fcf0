/*
 * Puts the click's ref into the shop's own forms, so that an order posted by a form carries it.
 *
 *   <script src="forms.js" data-forms="form.checkout, #order" data-field="cnct_ref"></script>
 *
 * Forms are chosen by selector (default: form[data-cnct]), and chosen when they are sent: they may be made at any time.
 */
(() => {
  window.cnct = window.cnct || function () { (cnct.q = cnct.q || []).push(arguments); };
  const { forms = 'form[data-cnct]', field = 'cnct_ref' } = (document.currentScript || 0).dataset || {};
  let ref;
  const ask = () => cnct('ref', told => { ref = told; }); // at once, where it is known
  ask();

  const on = (type, fill) => addEventListener(type, event => {
    try {
      ask();
      if (ref && event.target.matches(forms)) fill(event);
    } catch (error) { /* a form must be sent, whatever happens to us */ }
  }, true);

  // Every way in which the browser itself collects a form's fields, new FormData(form) included.
  on('formdata', event => event.formData.set(field, ref));
  // Scripts that collect the fields by themselves.
  on('submit', ({ target }) => {
    let input = target.querySelector(`[name="${field}"]`);
    if (!input) {
      input = document.createElement('input');
      input.type = 'hidden';
      input.name = field;
      target.append(input);
    }
    input.value = ref;
  });
})();
