/**
 * Counts the views, links and events of a web page. `docs/collector.md` says how to use it.
 *
 * Nothing here may disturb the page: it stores nothing, and catches whatever it throws. `make script` writes `s.js`.
 */
;(() => {
  /** A view waits for the page's product, because a single-page application changes the address before the page. */
  const RENDERING_MS = 100
  /** How many events wait for the network to return, or for a prerendered page to be shown. */
  const MOST_HELD = 100
  const DOWNLOADS = 'pdf,docx,xlsx,pptx,csv,txt,epub,zip,7z,gz,tar,rar,dmg,pkg,exe,msi,apk,mp3,mp4,mov,avi,wav'

  const harmless =
    <Given extends unknown[]>(run: (...given: Given) => void) =>
    (...given: Given) => {
      try {
        run(...given)
      } catch (_) {}
    }

  const start = (script: HTMLScriptElement, early?: Clickpulse) => {
    const options = script.dataset
    let path: string
    let url: string
    let viewedPath: string
    let viewedUrl: string
    let referrer = document.referrer
    let waiting: ClickpulseProperties[] = []
    let timer: number | undefined

    const listen = (target: EventTarget, name: string, run: (event: any) => void) =>
      target.addEventListener(name, harmless(run), true)

    /** Whether `before` and one of the names, separated by commas, end the text. `*` stands for any characters. */
    const matches = (text: string, before: string, names: string) => {
      const pattern = names.replace(/\W/g, (mark) =>
        mark == ',' ? '|' : mark == '*' ? '.*' : mark.trim() && '\\' + mark,
      )
      return RegExp(`${before}(${pattern})$`, 'i').test(text)
    }

    const locate = () => {
      path = location.pathname
      let query = location.search
      if ('hash' in options) {
        // The application's route becomes part of the path, by which pages are told apart.
        const [, route, words] = /^#?!?\/*([^?]*)\??(.*)/.exec(location.hash)!
        if (route) path = path.replace(/\/*$/, '/') + route
        if (words) query += (query ? '&' : '?') + words
      }
      url = location.origin + path + query
    }

    const flush = () => {
      const meta = document.querySelector<HTMLMetaElement>('meta[name="clickpulse:product"]')
      for (const event of waiting) {
        if (!('productId' in event)) event.productId = (meta ? meta.content : options.product) || undefined
      }
      // A page of this machine has its collector here too, so it needs no network.
      const isOffline = !navigator.onLine && !/localhost$|^127\.|^\[::1/.test(location.hostname)
      if (isOffline || (document as { prerendering?: boolean }).prerendering) {
        waiting = waiting.slice(0, MOST_HELD)
      } else if (waiting[0]) {
        const api = options.api || new URL('v1/events', script.src).href
        const body = JSON.stringify(waiting)
        const canBeacon = !!navigator.sendBeacon
        waiting = []
        if (!canBeacon || !navigator.sendBeacon(api, body)) {
          fetch(api, {
            method: 'POST',
            body,
            mode: 'no-cors',
            credentials: 'include',
            // A beacon is refused while too many bytes are on their way, and keepalive has the same limit.
            keepalive: !canBeacon,
          }).catch(() => {})
        }
      }
    }

    const add = (eventType?: string, properties?: ClickpulseProperties) => {
      locate()
      if (options.exclude && matches(path, '^', options.exclude)) return
      waiting.push({
        eventId: crypto.getRandomValues(new Uint32Array(4)).join('-'),
        url,
        referrer: referrer || undefined,
        site: options.site,
        // Copied, because the page may change them. What JSON cannot hold costs only this event.
        ...JSON.parse(JSON.stringify(properties || {})),
        eventType,
      })
    }

    const view = (properties?: ClickpulseProperties) => {
      flush()
      referrer = viewedUrl || referrer
      add(undefined, properties)
      viewedPath = path
      viewedUrl = url
      clearTimeout(timer)
      timer = setTimeout(harmless(flush), RENDERING_MS)
    }

    const event = (name: string, properties?: ClickpulseProperties) => {
      add(name, properties)
      Promise.resolve().then(harmless(flush))
    }

    const arrive = () => 'manual' in options || view()

    /** A replaced address with the same path is the same page, such as a search that keeps its words in the query. */
    const move = (isReplaced?: boolean) => {
      locate()
      if (isReplaced ? path != viewedPath : url != viewedUrl) arrive()
    }

    const click = (click: MouseEvent) => {
      const link = click.composedPath().find((node) => (node as HTMLAnchorElement).href) as HTMLAnchorElement | undefined
      // auxclick is the middle button, which opens a tab, and the right one, which does not.
      if (link && click.button < 2 && /^http/.test(link.protocol)) {
        const isDownload =
          link.hasAttribute('download') ||
          matches(link.pathname, '\\.', options.downloads == undefined ? DOWNLOADS : options.downloads)
        if (isDownload || link.host != location.host) {
          event(isDownload ? 'download' : 'outbound_link', { target: link.origin + link.pathname })
        }
      }
    }

    for (const name of ['pushState', 'replaceState'] as const) {
      const original = history[name]
      history[name] = function (...given) {
        original.apply(this, given)
        harmless(move)(name != 'pushState')
      }
    }
    listen(window, 'popstate', () => move())
    listen(window, 'pageshow', (shown: PageTransitionEvent) => shown.persisted && arrive())
    listen(window, 'pagehide', flush)
    listen(window, 'online', flush)
    listen(document, 'prerenderingchange', flush)
    listen(document, 'click', click)
    listen(document, 'auxclick', click)

    window.clickpulse = Object.assign(
      harmless((command: string, first?: any, properties?: ClickpulseProperties) => {
        if (command == 'view') view(first)
        if (command == 'event' && first) event(first, properties)
      }),
      { loaded: true } as const,
    )
    arrive()
    for (const given of (early && early.q) || []) window.clickpulse.apply(null, given as any)
  }

  const script = document.currentScript as HTMLScriptElement | null
  const early = window.clickpulse
  // A second copy of the script would count everything twice.
  if (script && !(early && early.loaded === true)) harmless(start)(script, early)
})()
