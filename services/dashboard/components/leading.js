// Scrolls to what a pick is about, such as the events behind a number.
const leadTo = (selector) => {
  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches
  if (selector) document.querySelector(selector)?.scrollIntoView({ block: "nearest", behavior: isStill ? "auto" : "smooth" })
}
