/*
 * cnct.js ties the click on a click-to-WhatsApp ad to what the shopper then looks at and buys.
 * Licence: Apache-2.0. Manual: README.md beside this file. Types: cnct.d.ts.
 *
 * Four rules:
 * - The page never notices us. Nothing throws, blocks or waits; the page's functions are called, never replaced.
 * - A visitor without click ids causes no request, no cookie and no storage.
 * - What is to be sent is stored first, under an id and a time of its own, and forgotten when answered. A repeat is
 *   the same event again, so a lost answer costs a request and never a second event.
 * - Address parts are sent as they stand and decoded once, on the server.
 *
 * Each shopper pays for each byte: hence map where others write forEach, and an order of lines that packs well; and for each
 * part of the browser that is touched first: hence what costs most is asked last.
 */
try { (() => {
  const stub = window.cnct || 0;
  if (stub.version) return; // the tag stands on the page twice

  const href = location.href; // before a router takes the fragment away
  const log = href.match('cnct_debug=1') && console.log;
  // Each way in from the page (call, event, timer, answer) goes through here.
  const guard = work => (...words) => { try { return work(...words); } catch (error) { log && log(error); } };

  // ---- settings: from the script's address, over that the tag's data attributes, over that cnct('init', …)

  // currentScript is null in a module and src is empty in a bundle: init can still name the collector.
  const { src, dataset } = document.currentScript || { src: '' };
  const settings = Object.assign(
    { cookie: 'cnct', collector: src },
    Object.fromEntries(new URLSearchParams(src.split('?')[1])),
    dataset
  );

  // ---- state

  const waiting = []; // callbacks that wait for the ref
  const queue = [];   // calls that wait for the start
  const busy = {};    // outbox keys: 1 on its way or answered, 0 failed and to be tried again
  let seen;     // products viewed at `page`, and under 0 whether the page said so itself; undefined until we have started
  let current;  // the product viewed last, wherever
  let landing;  // what the address brought, until it moves to the outbox: the first view may still join it
  let lastView;
  let round;    // looks taken at `url`
  let ref;      // as answered: where the cookie is refused, it lives as long as the page
  let page;     // a path
  let url;
  let timer; // of looks

  // ---- product: what the page shows

  const detect = () => {
    for (const { dataset } of find('[data-cnct-product]')) if (dataset.cnctProduct) return product(dataset.cnctProduct, dataset.cnctValue, dataset.cnctCurrency);

    // The list grows while we walk it: breadth first, and only where a page's own product may stand.
    const nodes = find('[type$="ld+json"]').flatMap(guard(block => JSON.parse(block.innerHTML)));
    for (const node of nodes) if (node) {
      const type = /\bProduct(Group)?\b/.exec(node['@type']);
      const grab = pattern => (JSON.stringify(node).match(pattern) || 0)[1]; // offers nest in many ways
      if (type) return product(
        node.sku || node.productGroupID || node.productID,
        grab(/"(?:p|lowP)rice":"?([\d.]+)(?:[}"]|,")/), // 1,299.00 is no number
        grab(/"priceCurrency":"([A-Z]{3})"/),
        type[1] && 'product_group'
      );
      nodes.push(...[].concat(node['@graph'] || node.mainEntity));
    }

    const id = meta('retailer_item_id');
    if (id) return product(id, meta('price:amount'), meta('price:currency'));
  };
  const find = selector => [...document.querySelectorAll(selector)];
  // The collector refuses a value without its currency, and with it the view.
  const product = (id, price, currency, type) => ({
    content_ids: id && [`${id}`],
    content_type: type || 'product',
    value: currency && +price || undefined,
    currency: currency || undefined,
  });
  const meta = name => (find(`[property$="${name}"]`)[0] || 0).content;

  // ---- consent, cookies and context

  const consent = () => navigator.globalPrivacyControl ? 'denied' : settings.consent;
  // Undecided visitors are waited for; a collector that hangs is not, see look.
  const tellRef = () => consent() != 'pending' && waiting.splice(0).map(tell => tell(hasContext() && (ref || cookie('_ref')) || null));
  // The cookie last: on a landing it is never read.
  const hasContext = () => consent() != 'denied' && (ref || landing || items()[0] || cookie('_ref'));
  const cookie = guard(suffix => (document.cookie.match(`(^|; )${settings.cookie + suffix}=([^;]+)`) || 0)[2]);
  // A collector on another site cannot set cookies here, so we write down what it answers.
  const setCookies = (ref, token, seconds) => {
    if (settings.site == 'foreign') for (const pair of [`_ref=${ref}`, `=${token}`])
      document.cookie = `${settings.cookie + pair};path=/;secure;samesite=lax;max-age=${seconds}`;
  };

  // ---- outbox: a storage key for each item, so that tabs never overwrite each other

  const drop = key => stores.map(store => delete store[key]);
  // "cnct_box:<time>:<random>" → [path, body]. Shared by all tabs; while consent is pending, in this tab's own storage.
  // Where storage is blocked or full, an object stands in for it as long as the page lives.
  const stores = [guard(() => localStorage)() || {}, guard(() => sessionStorage)() || {}];
  // Oldest first. Events older than 7 days are of no use to Meta.
  const items = () => stores.flatMap(store => Object.keys(store).filter(key =>
    key.match('cnct_box:') && (Date.now() - key.split(':')[1] < 6048e5 || void drop(key))).map(key => [key, store[key]])).sort();

  const post = (key, path, body) => {
    const url = new URL(path, settings.collector);
    const text = JSON.stringify(Object.assign({ consent: consent(), token: settings.site && cookie('') }, body));
    const settle = guard((response, answer = {}) => {
      const { status } = response;
      if (answer.ref && hasContext()) setCookies(ref = answer.ref, answer.token, answer.max_age);
      log && log(text, status || '' + response, status && response.headers.get('x-collector-reason'), cookie('_ref'));
      if (/429|^5/.test(status || 5)) busy[key] = 0; // no answer counts as 5xx
      else drop(key), start({}); // flushes; and where consent was denied meanwhile, has the answer's cookies erased
      tellRef();
    });
    busy[key] = 1;
    try {
      // A string body keeps the request simple: no preflight. keepalive lets it, and its cookie, outlive the page.
      fetch(url, { method: 'POST', body: text, keepalive: 1, credentials: 'include' }).then(response =>
        response.json().catch(() => {}).then(answer => settle(response, answer))).catch(settle);
    } catch (error) { // the page has broken fetch
      settle(navigator.sendBeacon(url, text) && new Response());
    }
  };

  const add = (path, body) => {
    // A landing sorts before whatever happened in its own millisecond.
    const key = 'cnct_box:' + (body.at_ms - 1 || Date.now()) + ':' + Math.random();
    const text = JSON.stringify([`b/${settings.business}/${path}`, body]);
    const index = +(consent() == 'pending');
    // A view that is too large must not cost the landing that it came with, nor a crowd of events a landing.
    if (!hasContext() || items()[19] && !body.at_ms || (items() + text)[16e3])
      return body.view ? add(path, body, delete body.view) : log && log('not sent', text);
    try {
      stores[index][key] = text;
    } catch (error) {
      stores[index] = { [key]: text };
    }
  };

  const flush = () => {
    // What follows a landing needs the cookie that its answer brings.
    if (consent() != 'pending' && !landing) for (const [key, text] of items()) {
      const [path, body] = JSON.parse(text);
      if (!busy[key]) post(key, path, body);
      if (body.at_ms) return 1;
    }
  };

  // ---- start

  const IDS = /[?&#;](ad_id|sendout_id|cnct_tracking_id|ctwa_clid)=[^&#]/; // ";" as in a badly escaped "&amp;"

  // Runs at each call and event. It waits for the document, and until that is seen for the first time: this covers
  // prerendering and background tabs. A page that is left before must not take its landing with it.
  const start = guard(({ type, persisted }) => {
    if (!settings.business || type == 'pageshow' && !persisted
      || !seen && type != 'pagehide' && (document.hidden || document.readyState == 'loading')) return;

    if (consent() == 'denied') {
      items().map(([key]) => drop(key));
      if (cookie('_ref') && !busy['cnct_box:']) post('cnct_box:', `b/${settings.business}/landing`, { query: '' });
      setCookies(ref = 0, 0, 0);
    } else if (!seen) {
      seen = {};
      // A router or a late loader may have stripped the address. The browser (asked only where need be) and the inline stub remember it.
      [IDS.test(href) || (performance.getEntries()[0] || 0).name, stores[1]['cnct_box:'], href].map(url => {
        if (IDS.test(url)) {
          const { search, hash } = new URL(url);
          landing = {
            query: search.slice(1),
            hash: IDS.test(hash) ? hash.slice(1) : undefined,
            page_url: location.origin + location.pathname, // a query may hold personal data
            referrer: document.referrer,
            at_ms: Date.now(),
          };
        }
      });
      log && log('landing', JSON.stringify(landing));
    }

    queue.splice(0).map(work => work());
    if (type == 'pageshow' && page == location.pathname) seen = {}, view(lastView); // back from the bfcache
    if (hasContext()) {
      timer = timer || setInterval(look, 300);
      look();
      landing = landing && add('landing', landing);
      if (flush()) return; // a landing is on its way: its answer goes on from here
    }
    tellRef();
  });

  // ---- views: one for each product and page

  const view = (data, isAutomatic) => {
    if (!data) return;
    const key = JSON.stringify(data.content_ids || data);
    if (page != (page = location.pathname)) seen = {};
    // Right after a soft navigation the page still shows the old product: believe it from the third look on.
    if (seen[key] || isAutomatic && (seen[0] || key == current && round < 2)) return;
    seen[current = key] = 1;
    seen[0] = !isAutomatic;
    lastView = data;
    const viewed = event('ViewContent', data);
    landing && !landing.view ? landing.view = viewed : flush(add('events', viewed));
  };

  // Comparing an address three times a second sees every kind of soft navigation and touches no function of the page.
  // The document is searched in the first 3 seconds of each address only. Who still waits for the ref then is told what is known.
  const look = guard(() => {
    round = url != (url = location.href) ? 0 : round + 1;
    if (round > 9) tellRef();
    else if (settings.auto != 'off' && !document.hidden) view(detect(), 1);
  });

  const event = (name, data) => ({
    event_name: name,
    event_id: crypto.getRandomValues(new Uint32Array(4)).join('-'),
    event_time: Date.now() / 1e3 >>> 0,
    page_url: location.origin + location.pathname,
    custom_data: data && JSON.parse(JSON.stringify(data)), // what cannot be sent must not hold up the landing
  });

  // ---- calls

  // Settings are heard at once, wherever they stand in the queue.
  const take = (name, a, b) => {
    if (commands[name]) queue.push(guard(() => commands[name](a, b)));
    else if (name == 'init') Object.assign(settings, a);
    else settings[url = name] = a; // consent; url, so that we look at the page anew
  };

  const commands = {
    view,
    track: (name, data) => add('events', event(name, data)),
    link: (kind, id) => add('links', { kind, id }),
    ref: callback => waiting.push(guard(callback)),
  };

  // ---- and go

  for (const words of stub.q || []) take(...words);
  (window.cnct = (...words) => { take(...words); start({}); }).version = 1;
  'pageshow pagehide online visibilitychange DOMContentLoaded'.split(' ').map(type => addEventListener(type, start, 1));
  log && log('cnct', JSON.stringify(settings), consent());
  // At once, but with nobody on the stack: browsers note who asks for a cookie, and would read this whole file again for that.
  (async () => start(await {}))();
})(); } catch (error) { /* the page has replaced what every script needs, or the browser is older than all of it */ }
