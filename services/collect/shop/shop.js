// The shop in the browser: its cart, its orders, and the offers that it is sent. Only the shop stores anything, and
// only until the tab is closed; the script for clicks stores nothing.
;(() => {
  const PERSONAS = [
    { name: 'nobody in particular' },
    { name: 'Anna, 29', gender: 'F', age: 29 },
    { name: 'Ben, 40', gender: 'M', age: 40 },
  ]
  const OFFERS = {
    offer1: 'Ten per cent off your next jumper or jacket, today only.',
    offer2: 'Free delivery of the dress that goes with those shoes.',
  }
  const track = (...given) => window.clickpulse && window.clickpulse(...given)
  const kept = (name, otherwise) => JSON.parse(sessionStorage.getItem(name) || 'null') ?? otherwise
  const keep = (name, value) => sessionStorage.setItem(name, JSON.stringify(value))
  const euros = (cents) => (cents / 100).toLocaleString('en', { style: 'currency', currency: 'EUR' })
  const cents = (price) => Math.round(Number(price) * 100)
  const at = (id) => document.getElementById(id)

  let cart = kept('cart', [])
  const persona = () => PERSONAS[kept('persona', 0)] || PERSONAS[0]
  const claims = () => ({ gender: persona().gender, age: persona().age })
  const total = () => cart.reduce((sum, line) => sum + cents(line.price) * line.pieces, 0)
  const pieces = () => cart.reduce((sum, line) => sum + line.pieces, 0)
  const save = () => {
    keep('cart', cart)
    at('pieces').textContent = pieces()
  }

  const element = (name, properties, ...children) => {
    const made = Object.assign(document.createElement(name), properties)
    made.append(...children)
    return made
  }
  const table = (canRemove) =>
    element('table', {}, ...cart.map((line) => {
      const remove = element('button', { textContent: 'Remove', onclick: () => take(line) })
      const link = element('a', { href: '/p/' + line.slug, textContent: line.title })
      return element('tr', {}, element('td', {}, link), element('td', { textContent: line.pieces + ' ×' }),
        element('td', {}, ...(canRemove ? [remove] : [])), element('td', { textContent: euros(cents(line.price) * line.pieces) }))
    }), element('tr', {}, element('td', { colSpan: 3, textContent: 'Total' }), element('td', { textContent: euros(total()) })))

  const showCart = () => {
    const go = element('button', { className: 'buy', textContent: 'To the checkout', onclick: () => (location.href = '/checkout') })
    at('cart').replaceChildren(...(cart.length ? [table(true), go] : [element('p', { textContent: 'Your cart is empty.' })]))
  }
  const take = (line) => {
    cart = cart.filter((other) => other !== line)
    track('event', 'remove_from_cart', { productId: line.id, ...claims() })
    save()
    showCart()
  }
  const add = (button) => {
    const { add: id, price, title, slug } = button.dataset
    const line = cart.find((other) => other.id === id)
    if (line) line.pieces += 1
    else cart.push({ id, price, title, slug, pieces: 1 })
    save()
    track('event', 'add_to_cart', { productId: id, ...claims() })
    button.textContent = 'Added – once more?'
  }
  // One event for each product, so that revenue is known by product. Only the first is the purchase: conversions count orders.
  const order = () => {
    const orderId = 'demo-' + Array.from(crypto.getRandomValues(new Uint32Array(2)), (word) => word.toString(36)).join('')
    for (const [place, line] of cart.entries()) {
      track('event', place ? 'purchase_line' : 'purchase', {
        productId: line.id, quantity: line.pieces, value: (cents(line.price) * line.pieces / 100).toFixed(2), currency: 'EUR',
        orderId: place ? `${orderId}-${place + 1}` : orderId, ...claims(),
      })
    }
    cart = []
    save()
    setTimeout(() => (location.href = '/checkout/thank-you'), 150)
  }

  const listenForOffers = () => {
    const source = new EventSource('/offers')
    source.onmessage = ({ data }) => {
      const { offer } = JSON.parse(data)
      at('offer').querySelector('p').textContent = OFFERS[offer] || offer
      at('offer').hidden = false
    }
  }

  const select = at('persona')
  PERSONAS.forEach(({ name }, number) => select.append(new Option(name, number, false, number === kept('persona', 0))))
  select.onchange = () => keep('persona', Number(select.value))
  at('offer').querySelector('button').onclick = () => (at('offer').hidden = true)
  save()
  track('view', claims())
  for (const button of document.querySelectorAll('[data-add]')) button.onclick = () => add(button)
  if (at('cart')) showCart()
  if (at('summary')) {
    at('summary').append(table(false))
    at('order').disabled = !cart.length
    at('order').onclick = order
  }
  listenForOffers()
})()
