/*
 * Tells cnct.js what Shopify's customer privacy banner knows.
 *
 *   <script src="{{ 'cnct-consent-shopify.js' | asset_url }}" async></script>     beside a tag with data-consent="pending"
 */
(() => {
  window.cnct = window.cnct || function () { (cnct.q = cnct.q || []).push(arguments); };

  const tell = () => {
    try {
      const privacy = Shopify.customerPrivacy;
      const { marketing } = privacy.currentVisitorConsent(); // "yes", "no" or "" (not asked)
      if (marketing == 'no') cnct('consent', 'denied');
      else cnct('consent', marketing == 'yes' || privacy.marketingAllowed() ? 'granted' : 'pending');
    } catch (error) { /* the banner's script is not there: nothing is known, and nothing changes */ }
  };

  document.addEventListener('visitorConsentCollected', tell);
  let tries = 100; // Shopify's loader may come later: ten seconds
  const listen = () => {
    try {
      if (window.Shopify && Shopify.loadFeatures) Shopify.loadFeatures([{ name: 'consent-tracking-api', version: '0.1' }], tell);
      else if (tries--) setTimeout(listen, 100);
    } catch (error) { /* another Shopify: nothing is known */ }
  };
  listen();
})();
