// A page that is opened as a file may start no worker, so the one that searches runs in a frame of the page.
if (location.protocol === "file:") {
  // The worker that searches looks for this name.
  window.IFrameWorker = class extends EventTarget {
    constructor(url) {
      super()
      this.waiting = []
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      // What a worker has and a window lacks: an answer to its owner, and scripts that are loaded by a call.
      window.frameWorkers = [...(window.frameWorkers || []), this]
      const prelude = `
        const owner = parent.frameWorkers[${window.frameWorkers.length - 1}]
        window.postMessage = data => owner.dispatchEvent(new parent.MessageEvent("message", { data }))
        window.importScripts = (...urls) => urls.reduce((before, url) => before.then(() => new Promise((done, failed) => {
          const script = Object.assign(document.createElement("script"), { src: url, onload: done, onerror: failed })
          document.head.append(script)
        })), Promise.resolve())`
      this.frame.srcdoc = `<script>${prelude}</scr` + `ipt><script src="${new URL(url, location.href)}"></scr` + `ipt>`
      this.frame.onload = () => {
        this.loaded = true
        this.waiting.splice(0).forEach(data => this.postMessage(data))
      }
      document.body.append(this.frame)
    }
    postMessage(data) {
      if (!this.loaded) this.waiting.push(data)
      else this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data }))
    }
    terminate() {
      this.frame.remove()
    }
  }
  window.Worker = window.IFrameWorker
}
