/*
 * Writes the click's ref into the Shopify cart, from where it goes over to the order (note_attributes), and ties the cart's
 * token to the click for orders that lost the attribute.
 *
 *   <script src="{{ 'cnct-shopify-cart.js' | asset_url }}" async></script>     in theme.liquid
 *
 * The cart's token holds only from its first update on; hence update first, link after. A new cart after an order is written again.
 */
(() => {
  window.cnct = window.cnct || function () { (cnct.q = cnct.q || []).push(arguments); };

  cnct('ref', async ref => {
    if (!ref) return;
    try {
      const root = window.Shopify && Shopify.routes ? Shopify.routes.root : '/';
      const known = await (await fetch(`${root}cart.js`)).json();
      if (known.attributes._cnct_ref == ref) return;
      const cart = await (await fetch(`${root}cart/update.js`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ attributes: { _cnct_ref: ref } }),
      })).json();
      cnct('link', 'cart_token', cart.token.split('?')[0]);
    } catch (error) { /* no cart here, or not now: the next page tries again */ }
  });
})();
