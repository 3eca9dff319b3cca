// The shop's own page views, to the gateway's first-party endpoint. What the visitor did not agree to is dropped there.
(() => {
  const view = {
    name: "page-view",
    id: crypto.randomUUID(),
    url: location.href,
    title: document.title,
    referrer: document.referrer,
  };
  navigator.sendBeacon("{{prefix}}/collect", new Blob([JSON.stringify(view)], { type: "text/plain" }));

  // What this page has asked of the made-up vendor so far, for whoever watches the demo.
  const shown = document.querySelector("#moth-count output");
  const asked = new Map();
  new PerformanceObserver((list) => {
    for (const { name } of list.getEntries()) {
      const url = new URL(name);
      if (url.origin === "{{moth}}") asked.set(url.pathname, (asked.get(url.pathname) || 0) + 1);
    }
    if (asked.size) {
      shown.textContent = [...asked].map(([path, times]) => (times > 1 ? `${path} (${times} times)` : path)).join(", ");
    }
  }).observe({ type: "resource", buffered: true });
})();
