/** What an event carries besides its page. The fields named here are counted; others are sent, and ignored so far. */
interface ClickpulseProperties {
  /** What the event is worth, such as an order's total: `19.99` or `'19.99'`. A negative one is a refund. */
  value?: number | string
  /** Currency of `value` and `cost`: three letters of ISO 4217. */
  currency?: string
  /** Whole number of pieces. */
  quantity?: number
  /** An order counts once for a visitor within an hour, however often it is sent. */
  orderId?: number | string
  /** The product that is viewed or sold, instead of the page's own; null for none. */
  productId?: number | string | null
  /** What the event cost you, written as `value`. */
  cost?: number | string
  /** Where it was sold: `web`, `app`, a marketplace. */
  platform?: string
  /** Instead of the page's own address. */
  url?: string
  /** Instead of the page's own referrer, such as that of the visit's first page for an order. */
  referrer?: string
  /** Instead of a random one. An `eventId` counts once for a visitor within an hour. */
  eventId?: string
  /** Who it is. Counts only if the site's settings allow it. */
  userId?: number | string
  /** M or F. */
  gender?: string
  /** In years. */
  age?: number
  [name: string]: unknown
}

interface Clickpulse {
  /** Count an event. `name` becomes its `eventType`, of at most 64 bytes. */
  (command: 'event', name: string, properties?: ClickpulseProperties): void
  /** Count a view of the page. Needed only with `data-manual`. */
  (command: 'view', properties?: ClickpulseProperties): void
  /** Calls made before the script was loaded. */
  q?: ArrayLike<unknown>[]
  /** Whether the script is loaded. */
  loaded?: true
}

declare var clickpulse: Clickpulse

interface Window {
  clickpulse?: Clickpulse
}
