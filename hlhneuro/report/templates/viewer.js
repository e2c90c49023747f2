"use strict";
// Shows the volumes that the page carries, a niivue per picture, all in step. Nothing is loaded from elsewhere.
(() => {
  const root = document.querySelector("[data-viewer]");
  if (!root) return;
  const find = (name, from = root) => from.querySelector(`[data-${name}]`);
  const AXIAL = 0, CORONAL = 1, SAGITTAL = 2, ALL = 3; // as niivue numbers its slice types
  const THIN_FILL = 0.01; // niivue draws no outline of a drawing that is fully transparent
  const AT_FIRST = 3, ZOOMS = [1, 8], ZOOM_STEP = 1.25;
  const at = { mm: [0, 0, 0], pan: [0, 0, 0, 1] }; // what all pictures have in common
  let data, panes = [], following = false, queue = Promise.resolve();

  const probe = document.createElement("canvas").getContext("webgl2");
  if (!probe || typeof DecompressionStream === "undefined") return;
  probe.getExtension("WEBGL_lose_context")?.loseContext();
  find("absent").hidden = true;
  find("invite").hidden = false;
  find("open").addEventListener("click", open, { once: true });

  async function open() {
    find("open").disabled = true;
    find("wait").textContent = "Opening …";
    data = JSON.parse(find("manifest").textContent);
    try {
      const unpacked = new Blob([bytesOf(data.library)]).stream().pipeThrough(new DecompressionStream("gzip"));
      const library = document.createElement("script");
      library.textContent = await new Response(unpacked).text();
      document.head.append(library);
      find("stage").hidden = false;
      await start();
      find("invite").hidden = true;
      root.dataset.viewer = "open";
      panes[0].figure.querySelector("canvas").focus({ preventScroll: true });
    } catch (error) {
      console.error(error);
      find("stage").hidden = true;
      find("wait").textContent = "";
      find("open").hidden = true;
      find("absent").textContent = "The viewer could not be opened in this browser; the pictures above show the same sessions.";
      find("absent").hidden = false;
      root.dataset.viewer = "failed";
    }
  }

  function bytesOf(id) {
    return Uint8Array.from(atob(document.getElementById(id).textContent), (letter) => letter.charCodeAt(0));
  }

  async function start() {
    panes = [...root.querySelectorAll("[data-pane]")].map((figure) => ({ figure }));
    if (find("count")) find("count").value = Math.min(panes.length, AT_FIRST);
    assign();
    at.mm = placeOf(0);
    listen();
    await showPanes();
  }

  function count() {
    return Number(find("count")?.value ?? 1);
  }

  // The first session and the last ones.
  function assign() {
    visible().forEach((pane, n) => {
      pane.session = n === 0 ? 0 : data.sessions.length - count() + n;
      find("session", pane.figure).value = pane.session;
    });
  }

  function placeOf(number) {
    const place = data.places[number];
    return [place.x_mm, place.y_mm, place.z_mm];
  }

  // ---- pictures

  // One after the other: two quick choices must not load into one picture at the same time.
  function showPanes() {
    const done = queue.then(update);
    queue = done.catch((error) => console.error(error));
    return done;
  }

  async function update() {
    panes.forEach((pane, n) => { pane.figure.hidden = n >= count(); });
    layout();
    following = true; // what niivue draws while it loads moves nothing
    for (const pane of visible()) {
      if (!pane.nv) await attach(pane);
      await load(pane);
    }
    redraw();
  }

  function visible() {
    return panes.slice(0, count());
  }

  // Which slices a picture shows, from top to bottom: how large they are, and what is at left, right, top and bottom.
  function tiles() {
    const [x, y, z] = data.high_mm.map((high, n) => high - data.low_mm[n]);
    const every = [[x, y, "RLAP"], [x, z, "RLSI"], [y, z, "APSI"]].map(([wide, high, sides]) => ({ wide, high, sides }));
    const plane = Number(find("plane").value);
    return plane === ALL ? every : [every[plane]];
  }

  function layout() {
    const shown = tiles();
    const wide = Math.max(...shown.map((tile) => tile.wide));
    const high = shown.reduce((sum, tile) => sum + tile.high, 0);
    const { style } = find("panes");
    style.setProperty("--shape", wide / high);
    style.setProperty("--beside", count());
    style.setProperty("--taller", shown.length > 1 ? 1.5 : 1);
    for (const { figure } of panes) {
      const frame = figure.querySelector(".frame");
      frame.querySelectorAll(".side").forEach((old) => old.remove());
      let top = 0;
      for (const tile of shown) {
        const middle = top + tile.high / 2, bottom = top + tile.high, places = [[0, middle], [tile.wide, middle]];
        places.push([tile.wide / 2, top], [tile.wide / 2, bottom]);
        places.forEach(([left, down], n) => letter(frame, tile.sides[n], left / wide, down / high, n));
        top = bottom;
      }
    }
  }

  function letter(frame, text, left, top, side) {
    const mark = document.createElement("span");
    mark.className = `side side-${["left", "right", "top", "bottom"][side]}`;
    mark.textContent = text;
    mark.style.left = `${100 * left}%`;
    mark.style.top = `${100 * top}%`;
    frame.append(mark);
  }

  async function attach(pane) {
    const canvas = pane.figure.querySelector("canvas");
    pane.nv = new niivue.Niivue({
      sliceType: Number(find("plane").value),
      isRadiologicalConvention: true,
      sagittalNoseLeft: true,
      isOrientationTextVisible: false, // it is cut at the edges: see `letter`
      multiplanarLayout: 1, // one below the other
      multiplanarShowRender: 0, // never a surface
      crosshairColor: [0.94, 0.89, 0.26, 0.7],
      crosshairWidth: 0.7,
      crosshairWidthUnit: "mm",
      crosshairGap: 6,
      fontColor: [1, 1, 1, 1],
      dragMode: 0,
      dragAndDropEnabled: false,
      loadingText: "",
      logLevel: "error",
    });
    // Its constructor takes no option that has no default: 8 moves the cross, 3 shifts the picture.
    pane.nv.opts.mouseEventConfig = { leftButton: { primary: 8 }, rightButton: 3, centerButton: 3 };
    pane.nv.opts.touchEventConfig = { singleTouch: 8, doubleTouch: 3 };
    await pane.nv.attachToCanvas(canvas);
    pane.nv.setDrawColormap(labelColours(data.colours[0]));
    pane.nv.drawRimOpacity = 1;
    pane.nv.sync = () => follow(pane); // niivue's own follows the focused canvas only
    pane.nv.onLocationChange = (location) => read(pane, location);
  }

  async function volume(id, options) {
    const name = `${id}.nii.gz`;
    return niivue.NVImage.loadFromUrl({ url: bytesOf(id).buffer, name, ...options });
  }

  async function load(pane) {
    const { nv } = pane;
    const contrast = data.contrasts[Number(find("contrast").selectedIndex)];
    const session = data.sessions[pane.session];
    const image = session.images[find("contrast").selectedIndex];
    const title = find("session", pane.figure).selectedOptions[0].text;
    pane.figure.querySelector("canvas").setAttribute("aria-label", `${contrast.name} of ${title}: arrows and Page keys move`);
    const nothing = find("nothing", pane.figure);
    nothing.hidden = Boolean(image);
    nothing.textContent = image ? "" : `No ${contrast.name} in this session.`;
    pane.shown = image;
    if (!image) return read(pane);
    const wanted = `${image} ${find("changes").checked}`;
    if (pane.loaded === wanted) return;
    const window = { cal_min: contrast.black_at, cal_max: contrast.white_at };
    const volumes = [await volume(image, { colormap: "gray", ...window })];
    if (session.changes && find("changes").checked) {
      volumes.push(await volume(session.changes, { opacity: strength() }));
      volumes[1].setColormapLabel(labelColours(data.colours[1]));
    }
    const lesions = session.lesions && (await volume(session.lesions, {}));
    for (const old of [...nv.volumes]) nv.removeVolume(old);
    for (const next of volumes) nv.addVolume(next);
    if (lesions) nv.loadDrawing(lesions);
    else nv.closeDrawing();
    pane.loaded = wanted;
  }

  function labelColours(colours) {
    const channel = (start) => [0, ...colours.map((colour) => parseInt(colour.slice(start, start + 2), 16))];
    return { R: channel(1), G: channel(3), B: channel(5), A: [0, ...colours.map(() => 255)] };
  }

  function strength() {
    return find("strength").value / 100;
  }

  // ---- in step

  function follow(leader) {
    if (following || !leader.nv.volumes.length) return;
    at.mm = [...leader.nv.frac2mm(leader.nv.scene.crosshairPos)].slice(0, 3);
    at.pan = [...leader.nv.scene.pan2Dxyzmm];
    redraw(leader);
  }

  function redraw(leader) {
    following = true;
    const fill = find("lesions").checked ? Math.max(find("fill").value / 100, THIN_FILL) : 0;
    for (const pane of visible()) {
      const { nv } = pane;
      if (!nv?.volumes.length) continue;
      if (pane !== leader) {
        nv.opts.sliceType = Number(find("plane").value);
        nv.scene.crosshairPos = nv.mm2frac(at.mm);
        nv.scene.pan2Dxyzmm = [...at.pan];
        nv.drawRimOpacity = fill ? 1 : 0;
        nv.setDrawOpacity(fill);
        nv.drawScene();
      }
      nv.createOnLocationChange();
    }
    following = false;
    const [x, y, z] = at.mm.map((value) => Math.round(value));
    const side = x > 0 ? "right" : x < 0 ? "left" : "midline";
    const signed = (value) => `${value < 0 ? "−" : value > 0 ? "+" : ""}${Math.abs(value)}`;
    find("position").value = `Cross at x = ${signed(x)} mm (${side}), y = ${signed(y)} mm, z = ${signed(z)} mm`;
  }

  function read(pane, location) {
    const reading = find("reading", pane.figure);
    if (!pane.shown || !location || !pane.nv.volumes.length) {
      reading.textContent = "";
      return;
    }
    const { nv } = pane;
    const contrast = data.contrasts[find("contrast").selectedIndex];
    const step = (contrast.white_at - contrast.black_at) / (data.greys - 1);
    const value = location.values[0].value;
    const words = [];
    if (value < contrast.black_at - step / 2) words.push("outside the brain");
    else {
      const beyond = value > contrast.white_at - step / 2 ? "≥ " : value < contrast.black_at + step / 2 ? "≤ " : "";
      words.push(`${contrast.name} ${beyond}${Number(value.toPrecision(3))}`);
    }
    const [x, y, z] = location.vox.map(Math.round);
    const [, across, deep] = nv.volumes[0].dimsRAS;
    if (nv.drawBitmap?.[x + across * (y + deep * z)]) words.push("lesion");
    const code = location.values[1]?.value;
    if (code) words.push(data.kinds[Math.round(code) - 1]);
    const { lesions, why } = data.sessions[pane.session];
    if (!lesions) words.push("lesions not assessable");
    else if (find("changes").checked && why) words.push(`change not assessable: ${why}`);
    reading.textContent = words.join(" · ");
  }

  // ---- controls

  function listen() {
    find("contrast").addEventListener("change", showPanes);
    find("changes").addEventListener("change", showPanes);
    find("count")?.addEventListener("change", () => {
      assign();
      showPanes();
    });
    find("plane").addEventListener("change", () => { layout(); redraw(); });
    find("lesions").addEventListener("change", () => redraw());
    find("fill").addEventListener("input", () => redraw());
    find("strength").addEventListener("input", () => {
      for (const { nv } of visible()) if (nv?.volumes.length > 1) nv.setOpacity(1, strength());
    });
    find("place").addEventListener("change", () => {
      const mm = placeOf(find("place").selectedIndex), magnified = at.pan[3];
      at.pan = [...mm.map((value) => (1 - magnified) * value), magnified];
      moveTo(mm);
    });
    find("full").addEventListener("click", () => {
      if (document.fullscreenElement) document.exitFullscreen();
      else find("stage").requestFullscreen();
    });
    for (const button of root.querySelectorAll("[data-zoom]")) {
      button.addEventListener("click", () => zoom({ in: ZOOM_STEP, out: 1 / ZOOM_STEP, reset: 0 }[button.dataset.zoom]));
    }
    for (const pane of panes) {
      find("session", pane.figure).addEventListener("change", (event) => {
        pane.session = Number(event.target.value);
        showPanes();
      });
      const frame = pane.figure.querySelector(".frame"), canvas = frame.querySelector("canvas");
      // Before niivue sees it: the page scrolls as usual until a picture is in focus, and the grey window stays.
      frame.addEventListener("mousedown", () => canvas.focus({ preventScroll: true }), true);
      frame.addEventListener("dblclick", (event) => event.stopPropagation(), true);
      frame.addEventListener("wheel", (event) => {
        if (document.activeElement !== canvas) return event.stopPropagation();
        if (!event.ctrlKey) return;
        event.preventDefault();
        event.stopPropagation();
        zoom(event.deltaY < 0 ? ZOOM_STEP : 1 / ZOOM_STEP);
      }, { capture: true, passive: false });
      for (const kind of ["keydown", "keyup"]) {
        frame.addEventListener(kind, (event) => {
          event.stopPropagation();
          if (kind === "keydown" && press(event)) event.preventDefault();
        }, true);
      }
    }
  }

  function moveTo(mm) {
    at.mm = mm.map((value, n) => Math.min(Math.max(value, data.low_mm[n]), data.high_mm[n]));
    redraw();
  }

  function zoom(factor) {
    const before = at.pan[3];
    const after = factor ? Math.min(Math.max(before * factor, ZOOMS[0]), ZOOMS[1]) : 1;
    // As niivue does it: the cross stays where it is on the picture.
    at.pan = after === 1 ? [0, 0, 0, 1] : [...at.mm.map((mm, n) => at.pan[n] + (before - after) * mm), after];
    redraw();
  }

  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const plane = Number(find("plane").value);
    // Along which axis left, up and Page Up go; +x is the patient's right, which is on the left of the picture.
    const [left, up, through] = { [AXIAL]: [0, 1, 2], [CORONAL]: [0, 2, 1], [SAGITTAL]: [1, 2, 0], [ALL]: [0, 1, 2] }[plane];
    const steps = { ArrowLeft: [left, 1], ArrowRight: [left, -1], ArrowUp: [up, 1], ArrowDown: [up, -1], PageUp: [through, 1], PageDown: [through, -1] };
    const step = steps[event.key];
    if (step) {
      const [axis, way] = step;
      moveTo(at.mm.map((mm, n) => (n === axis ? mm + way * data.voxel_mm : mm)));
    } else if (event.key === "+" || event.key === "=") zoom(ZOOM_STEP);
    else if (event.key === "-") zoom(1 / ZOOM_STEP);
    else if (event.key === "0") zoom(0);
    else if (event.key.toLowerCase() === "l") find("lesions").click();
    else if (event.key.toLowerCase() === "c") find("changes").click();
    else return false;
    return true;
  }
})();
