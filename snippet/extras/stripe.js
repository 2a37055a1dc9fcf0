/*
 * Hands the click's ref to Stripe's payment links, buy buttons and pricing tables: it comes back with the checkout session
 * as client_reference_id.
 *
 *   <script src="stripe.js" data-hosts="pay.shop.example"></script>     (data-hosts: domains of your own, if any)
 *
 * Only https links to these hosts are touched.
 */
(() => {
  window.cnct = window.cnct || function () { (cnct.q = cnct.q || []).push(arguments); };
  const { hosts = '' } = (document.currentScript || 0).dataset || {};
  const known = ['buy.stripe.com', ...hosts.toLowerCase().split(/\s+/)];

  const fill = ref => {
    if (!ref) return;
    document.querySelectorAll('stripe-buy-button, stripe-pricing-table').forEach(element => {
      if (!element.hasAttribute('client-reference-id')) element.setAttribute('client-reference-id', ref);
    });
    document.querySelectorAll('a[href]').forEach(link => {
      if (link.protocol != 'https:' || !known.includes(link.host) || /[?&]client_reference_id=/.test(link.search)) return;
      link.search += `${link.search ? '&' : '?'}client_reference_id=${ref}`;
    });
  };
  const ask = () => cnct('ref', fill); // at once, where it is known
  ask();
  ['DOMContentLoaded', 'pointerdown', 'click'].forEach(type => addEventListener(type, ask, true));
})();
