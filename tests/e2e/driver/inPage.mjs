// Functions that run inside the viewer's page; each is self-contained.

/** All viewports that show slices. */
export function viewports() {
  const engines = window.cornerstone?.getRenderingEngines() ?? [];
  return engines
    .flatMap(engine => engine.getViewports())
    .filter(viewport => ['stack', 'orthographic'].includes(viewport.type))
    // Thumbnails are drawn by viewports that nobody sees.
    .filter(viewport => document.querySelector(`[data-viewportid="${viewport.id}"]`) !== null)
    .map(viewport => {
      const { viewPlaneNormal, focalPoint } = viewport.getCamera();
      return {
        id: viewport.id,
        type: viewport.type,
        status: viewport.viewportStatus,
        normal: Array.from(viewPlaneNormal),
        focalPoint: Array.from(focalPoint),
        frameOfReferenceUid: viewport.getFrameOfReferenceUID(),
      };
    });
}

export function areRendered(ids) {
  const engines = window.cornerstone?.getRenderingEngines() ?? [];
  const found = engines.flatMap(engine => engine.getViewports());
  const slices = found
    .filter(viewport => ['stack', 'orthographic'].includes(viewport.type))
    .filter(viewport => document.querySelector(`[data-viewportid="${viewport.id}"]`) !== null);
  const wanted = ids === null ? slices : ids.map(id => slices.find(viewport => viewport.id === id));
  return wanted.length > 0 && wanted.every(viewport => viewport?.viewportStatus === 'rendered');
}

/**
 * Page coordinates of a position (LPS mm), and how many mm it lies off the plane that is shown; null while that is what it
 * was before, `unlike`.
 */
export function onScreen({ viewportId, point, unlike = null }) {
  const { viewport } = window.cornerstone.getEnabledElementByViewportId(viewportId);
  const { left, top } = viewport.element.getBoundingClientRect();
  const [x, y] = viewport.worldToCanvas(point);
  const { viewPlaneNormal } = viewport.getCamera();
  const shown = viewport.canvasToWorld([x, y]);
  const off = [0, 1, 2].reduce((sum, n) => sum + (point[n] - shown[n]) * viewPlaneNormal[n], 0);
  return unlike !== null && Math.abs(off - unlike) < 1e-3 ? null : { x: left + x, y: top + y, off };
}

/** Show the slice through a position (LPS mm), on a volume viewport perhaps turned: what a person does with the wheel and crosshairs. */
export async function look({ viewportId, point, normal, up }) {
  const { viewport } = window.cornerstone.getEnabledElementByViewportId(viewportId);
  const camera = viewport.getCamera();
  const direction = normal ?? Array.from(camera.viewPlaneNormal);
  const along = position => direction.reduce((sum, value, n) => sum + value * (position[n] - point[n]), 0);
  if (viewport.type === 'stack') {
    const places = viewport
      .getImageIds()
      .map(id => Math.abs(along(window.cornerstone.metaData.get('imagePlaneModule', id).imagePositionPatient)));
    await viewport.setImageIdIndex(places.indexOf(Math.min(...places)));
  } else {
    const distance = Math.hypot(...camera.position.map((value, n) => value - camera.focalPoint[n]));
    // In the middle of the picture stays what was there; only the plane moves.
    const off = normal ? null : -along(camera.focalPoint);
    const focalPoint = point.map((value, n) => (off === null ? value : camera.focalPoint[n] + direction[n] * off));
    const position = focalPoint.map((value, n) => value + direction[n] * distance);
    viewport.setCamera({ focalPoint, position, viewPlaneNormal: direction, viewUp: up ?? camera.viewUp });
  }
  const event = window.cornerstone.Enums.Events.IMAGE_RENDERED;
  const drawn = new Promise((resolve, reject) => {
    viewport.element.addEventListener(event, resolve, { once: true });
    setTimeout(() => reject(new Error(`${viewportId} was not drawn within 30 s.`)), 30_000);
  });
  viewport.render();
  await drawn;
}

/** Labelmaps that the viewer holds: label, and the voxels of each slice that has any, by `SOP Instance UID/frame`. */
export function labelmaps() {
  const { cache, metaData } = window.cornerstone;
  const { state } = window.cornerstoneTools.segmentation;
  const frameOf = imageId => Number(/\/frames\/(\d+)/.exec(imageId)?.[1] ?? 1);
  return state.getSegmentations().map(({ segmentationId, label, segments, representationData }) => {
    const slices = [];
    for (const imageId of representationData.Labelmap?.imageIds ?? []) {
      const image = cache.getImage(imageId);
      const voxels = Uint8Array.from(image.voxelManager.getScalarData());
      if (!voxels.some(Boolean)) continue;
      const { sopInstanceUID } = metaData.get('sopCommonModule', image.referencedImageId);
      let text = '';
      for (let n = 0; n < voxels.length; n += 8192) text += String.fromCharCode(...voxels.subarray(n, n + 8192));
      slices.push([`${sopInstanceUID}/${frameOf(image.referencedImageId)}`, btoa(text)]);
    }
    const names = Object.fromEntries(Object.entries(segments).map(([n, segment]) => [n, segment.label]));
    return { segmentationId, label, segments: names, slices };
  });
}

/** The viewport's pixel colours at positions (LPS mm), as painted. */
export function coloursAt({ viewportId, points }) {
  const { viewport } = window.cornerstone.getEnabledElementByViewportId(viewportId);
  const { canvas } = viewport;
  const copy = document.createElement('canvas');
  [copy.width, copy.height] = [canvas.width, canvas.height];
  const context = copy.getContext('2d');
  context.drawImage(canvas, 0, 0);
  const scale = canvas.width / canvas.clientWidth;
  return points.map(point => {
    const [x, y] = viewport.worldToCanvas(point);
    return Array.from(context.getImageData(Math.floor(x * scale), Math.floor(y * scale), 1, 1).data);
  });
}
