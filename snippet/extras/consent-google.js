/*
 * Tells cnct.js what Google's Consent Mode is told: gtag('consent', 'default' | 'update', {ad_storage: …}).
 *
 *   <script src="consent-google.js"></script>     beside a tag with data-consent="pending"
 *
 * ad_storage decides, and ad_user_data where it is named. A default of "denied" means that the visitor has not been asked yet:
 * pending. Only an update denies. Where the visitor is, only Google knows: a default that denies in some region counts everywhere.
 */
(() => {
  window.cnct = window.cnct || function () { (cnct.q = cnct.q || []).push(arguments); };
  const state = {};
  let isDecided = false;
  let isRegional = false;

  const isDenied = said => said.ad_storage == 'denied' || said.ad_user_data == 'denied';
  const hear = entry => {
    try {
      const [command, kind, said] = [...entry];
      if (command != 'consent' || !/^(default|update)$/.test(kind)) return;
      if (!said.region) Object.assign(state, said);
      else if (isDecided || !isDenied(said)) return;
      else isRegional = true;
      isDecided = isDecided || kind == 'update';
      if (!state.ad_storage && !isRegional) return;
      const isGranted = state.ad_storage == 'granted' && !isDenied(state);
      if (isDecided) cnct('consent', isGranted ? 'granted' : 'denied');
      else cnct('consent', isGranted && !isRegional ? 'granted' : 'pending');
    } catch (error) { /* another kind of entry */ }
  };

  try {
    const layer = window.dataLayer = window.dataLayer || [];
    layer.forEach(hear);
    const push = layer.push; // as tag managers do it: the layer has no event of its own
    layer.push = function () {
      const result = push.apply(this, arguments);
      [...arguments].forEach(hear);
      return result;
    };
  } catch (error) { /* no data layer as Google has it */ }
})();
