// The number of visitors in the title of the browser's tab. standing.js calls this each second, so that it never shows a
// number which the page itself calls old.
const OLD = new Set("stale unreachable malformed silent disconnected paused".split(" "))
const TOO_LOW = new Set("behind partial".split(" "))

const tabTitle = ({ name, count }, standing) => {
  const page = `${name} · Clickpulse`
  if (!count) return page
  if (OLD.has(standing)) return `(–) ${page}`
  return `(${TOO_LOW.has(standing) ? "≥ " : ""}${count}) ${page}`
}

const entitle = (root, standing) => {
  if (!root.titled?.name) return
  const title = tabTitle(root.titled, standing)
  if (document.title !== title) document.title = title
}
