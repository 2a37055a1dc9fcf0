/*
 * Tells cnct.js what Google's Consent Mode is told: gtag('consent', 'default' | 'update', {ad_storage: …}).
 *
 *   <script src="consent-google.js"></script>     beside a tag with data-consent="pending"
 *
 * ad_storage decides, and ad_user_data where it is named. A default of "denied" means that the visitor has not been asked yet:
 * pending. Only an update denies.
 */
(() => {
  window.cnct = window.cnct || function () { (cnct.q = cnct.q || []).push(arguments); };
  const layer = window.dataLayer = window.dataLayer || [];
  const state = {};

  const hear = entry => {
    try {
      const [command, kind, said] = [...entry];
      if (command != 'consent' || !/^(default|update)$/.test(kind) || said.region) return;
      Object.assign(state, said);
      if (!state.ad_storage) return;
      const isGranted = state.ad_storage == 'granted' && state.ad_user_data != 'denied';
      cnct('consent', isGranted ? 'granted' : kind == 'default' ? 'pending' : 'denied');
    } catch (error) { /* another kind of entry */ }
  };

  layer.forEach(hear);
  const push = layer.push; // as tag managers do it: the layer has no event of its own
  layer.push = function () {
    const result = push.apply(this, arguments);
    [...arguments].forEach(hear);
    return result;
  };
})();
