/** Types of the one global that cnct.js adds. Put `/// <reference path="cnct.d.ts" />` where it is used, or include the file. */

/** `pending`: nothing is sent and no cookie written, nothing is lost. `denied`: what is stored is erased. */
type CnctConsent = 'granted' | 'denied' | 'pending';

/** What was looked at or put in the cart, in the words of Meta's `custom_data`. Ids must be those of the catalogue. */
interface CnctData {
  /** At most 100. */
  content_ids?: string[];
  content_type?: 'product' | 'product_group';
  contents?: { id: string; quantity?: number; item_price?: number }[];
  /** In major units: 39.9, not 3990. */
  value?: number;
  /** ISO 4217. */
  currency?: string;
  num_items?: number;
}

/** The same names as data attributes of the tag (`data-business`) or in the script's address (`?business=`). */
interface CnctSettings {
  /** The business id, a UUID. */
  business?: string;
  /** Where the collector is: the address of its cnct.js, or of the directory above it with a slash at the end. */
  collector?: string;
  /** The name of the cookie, `cnct` unless the collector's tag says otherwise. The ref's is this with `_ref`. */
  cookie?: string;
  /** `foreign` where the collector is on another site than the shop: cookies are then written here. */
  site?: 'foreign';
  /** `off` switches automatic views off. */
  auto?: 'off';
  consent?: CnctConsent;
}

/** Never throws and returns nothing. Calls made before the script has arrived are kept by the stub and made up for. */
interface Cnct {
  (command: 'init', settings: CnctSettings): void;
  /** One view for each product and page; the page's automatic view is then left out. */
  (command: 'view', data: CnctData): void;
  /** A Purchase is refused: money is taken from the shop's server only. */
  (command: 'track', event: 'AddToCart' | 'InitiateCheckout' | 'ViewContent', data?: CnctData): void;
  /** Ties the visitor's click to a checkout or a cart. */
  (command: 'link', kind: 'checkout_id' | 'cart_token', id: string): void;
  /** Calls back once: with the ref as soon as the collector has answered, with null where there is no click. */
  (command: 'ref', callback: (ref: string | null) => void): void;
  (command: 'consent', state: CnctConsent): void;
  /** Set once the script has arrived. */
  version?: number;
  /** The stub's queue. */
  q?: IArguments[];
}

declare var cnct: Cnct;

interface Window {
  cnct: Cnct;
}
