/*
 * Tells cnct.js what a consent tool of the IAB's Transparency and Consent Framework (TCF v2) knows.
 *
 *   <script src="consent-tcf.js" data-purposes="1,7"></script>     beside a tag with data-consent="pending"
 *
 * Purposes (default 1: store on the device, 7: measure advertising) must all be consented to. Where the GDPR does not apply,
 * that is a grant. While the dialogue is open nothing is decided.
 */
(() => {
  window.cnct = window.cnct || function () { (cnct.q = cnct.q || []).push(arguments); };
  const { purposes = '1,7' } = (document.currentScript || 0).dataset || {};

  const hear = (data, isFine) => {
    try {
      if (!isFine) return;
      const isGranted = () => purposes.split(',').every(id => data.purpose.consents[id.trim()]);
      if (data.gdprApplies === false) cnct('consent', 'granted');
      else if (data.eventStatus == 'cmpuishown') cnct('consent', 'pending');
      else cnct('consent', isGranted() ? 'granted' : 'denied');
    } catch (error) { /* no answer of the framework: nothing changes */ }
  };

  let tries = 100; // the tool may come later: ten seconds
  const listen = () => {
    try {
      if (typeof __tcfapi == 'function') __tcfapi('addEventListener', 2, hear);
      else if (tries--) setTimeout(listen, 100);
    } catch (error) { /* the tool is broken: nothing is known */ }
  };
  listen();
})();
