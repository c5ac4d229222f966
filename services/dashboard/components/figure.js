// Draws a Plotly figure and redraws it in place. Streamlit recreates its own chart element for each new figure, which
// blanks it for a frame or two every second.
let loading

const plotly = (address) =>
  (loading ??= new Promise((resolve, reject) => {
    if (window.Plotly) return resolve(window.Plotly) // another page's element has loaded it
    const script = document.createElement("script")
    script.src = new URL(address, document.baseURI)
    script.onload = () => resolve(window.Plotly)
    script.onerror = () => {
      loading = undefined
      reject(new Error("plotly.js cannot be loaded"))
    }
    document.head.append(script)
  }))

const config = { displayModeBar: false, doubleClick: false, scrollZoom: false, showTips: false }

const draw = async (chart, address) => {
  const wanted = chart.wanted
  const Plotly = await plotly(address)
  // Draw only the newest figure if several arrived while plotly.js was loading.
  if (chart.wanted !== wanted) return
  const { data, layout } = JSON.parse(wanted)
  await Plotly.react(chart, data, { ...layout, autosize: true }, config)
  if (chart.resizing) return
  chart.on("plotly_click", ({ points }) => chart.pick?.(points))
  chart.resizing = new ResizeObserver(() => chart.offsetWidth && Plotly.Plots.resize(chart))
  chart.resizing.observe(chart)
}

const plotIn = (parent, { figure, label, height, plotly: address }) => {
  let chart = parent.querySelector(".live-plot")
  if (!chart) {
    chart = document.createElement("div")
    chart.className = "live-plot"
    chart.setAttribute("role", "img")
    chart.style.height = `${height}px`
    parent.append(chart)
  }
  chart.setAttribute("aria-label", label)
  if (chart.wanted === figure) return chart
  chart.wanted = figure
  draw(chart, address).catch((error) => {
    chart.wanted = undefined // the next refresh tries again
    console.error(error)
  })
  return chart
}

const forget = (chart) => {
  chart.resizing?.disconnect()
  window.Plotly?.purge(chart)
}
