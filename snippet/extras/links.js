/*
 * Adds the click's ref to links to a checkout on another site, at the moment they are used.
 *
 *   <script src="links.js" data-hosts="pay.example=cnct_ref buy.stripe.com=client_reference_id"></script>
 *
 * Only the hosts in this list, each with the parameter that it passes on, and over https only. A port of its own is named: pay.example:8443=ref.
 * Nothing but the ref is handed over.
 */
(() => {
  window.cnct = window.cnct || function () { (cnct.q = cnct.q || []).push(arguments); };
  const { hosts = '' } = (document.currentScript || 0).dataset || {};
  const parameters = new Map(hosts.split(/\s+/).map(pair => pair.split('=')).map(([host, name]) => [host.toLowerCase(), name]));
  let ref;
  const ask = () => cnct('ref', told => { ref = told; }); // at once, where it is known
  ask();

  // Before the browser follows the link, however it is used: click, middle click, menu, keyboard.
  ['pointerdown', 'click', 'auxclick', 'contextmenu'].forEach(type => addEventListener(type, event => {
    try {
      const link = event.composedPath().find(node => node.href && node.matches('a, area'));
      const url = new URL(link.href);
      const parameter = url.protocol == 'https:' && parameters.get(url.host);
      if (parameter) ask();
      if (!ref || !parameter || url.searchParams.has(parameter)) return;
      url.search += `${url.search ? '&' : '?'}${parameter}=${ref}`;
      link.href = url.href;
    } catch (error) { /* not a link, or not one that we could read */ }
  }, true));
})();
