// Draws a Plotly figure and redraws it in place. Streamlit's own chart element is built anew for each new figure, which
// blanks it for a frame or two every second.
let loading

const plotly = (address) =>
  (loading ??= new Promise((resolve, reject) => {
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
  // Only the newest figure counts when several came while plotly.js was loading.
  if (chart.wanted !== wanted) return
  const { data, layout } = JSON.parse(wanted)
  await Plotly.react(chart, data, { ...layout, autosize: true }, config)
  if (chart.resizing) return
  chart.on("plotly_click", ({ points }) => chart.pick?.(points))
  chart.resizing = new ResizeObserver(() => chart.offsetWidth && Plotly.Plots.resize(chart))
  chart.resizing.observe(chart)
}

export default function ({ data, parentElement, setStateValue }) {
  let chart = parentElement.querySelector(".live-plot")
  if (!chart) {
    chart = document.createElement("div")
    chart.className = "live-plot"
    chart.setAttribute("role", "img")
    chart.style.height = `${data.height}px`
    parentElement.append(chart)
  }
  chart.setAttribute("aria-label", data.label)
  chart.classList.toggle("pickable", data.pickable)
  // A bar or cell that can be picked has in its customdata what it stands for.
  chart.pick = data.pickable
    ? (points) => {
        const picked = points.map(({ customdata }) => customdata).find((about) => typeof about === "string")
        // With the time, so that picking the same again is news. A trigger value may get lost under frequent refreshes.
        if (picked) setStateValue("picked", { what: picked, at: Date.now() })
      }
    : undefined
  if (chart.wanted !== data.figure) {
    chart.wanted = data.figure
    draw(chart, data.plotly).catch((error) => {
      chart.wanted = undefined // the next refresh tries again
      console.error(error)
    })
  }
  // Streamlit also calls this for a run that new data overtook, while the chart stays on the page.
  return () => {
    if (chart.isConnected) return
    chart.resizing?.disconnect()
    window.Plotly?.purge(chart)
  }
}
