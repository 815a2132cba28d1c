/** Showing a SEG of the archive in the viewer. */

import type { DisplaySet, DataSource } from './ohif';
import type { Viewer } from './viewer';

/** The archive may still be indexing what it has just stored. */
const ATTEMPTS = 5;
const PAUSE_MS = 1000;

/** Fetch the SEG's header if the viewer does not know the instance yet, and show it wherever its images are shown. */
export async function showStored(viewer: Viewer, seriesInstanceUid: string, sopInstanceUid: string): Promise<void> {
  const displaySet = find(viewer, sopInstanceUid) ?? (await fetchHeader(viewer, seriesInstanceUid, sopInstanceUid));
  const headers = viewer.services.userAuthenticationService.getAuthorizationHeader() ?? {};
  await displaySet.load?.({ headers });
  // So that other layouts of the viewer show it too.
  viewer.context.commandsManager.runCommand('updateStoredSegmentationPresentation', { displaySet, type: 'Labelmap' });
  const { displaySetInstanceUID: segmentationId, referencedDisplaySetInstanceUID: images } = displaySet;
  for (const { id } of viewer.sliceViewports()) {
    if (!viewer.imageDisplaySets(id).some(set => set.displaySetInstanceUID === images)) continue;
    const options = { segmentationId, type: 'Labelmap' } as const;
    await viewer.services.segmentationService.addSegmentationRepresentation(id, options);
  }
}

async function fetchHeader(viewer: Viewer, seriesInstanceUid: string, sopInstanceUid: string): Promise<DisplaySet> {
  for (let attempt = 1; ; attempt++) {
    await fetchSeries(viewer, seriesInstanceUid);
    const displaySet = find(viewer, sopInstanceUid);
    if (displaySet !== undefined) return displaySet;
    if (attempt === ATTEMPTS) {
      throw new Error('The archive has stored the segmentation, but the viewer does not find it. Reload the study.');
    }
    await new Promise(resolve => setTimeout(resolve, PAUSE_MS));
  }
}

async function fetchSeries(viewer: Viewer, seriesInstanceUid: string): Promise<void> {
  const [dataSource] = viewer.context.extensionManager.getActiveDataSource();
  const study = viewer.services.displaySetService.getActiveDisplaySets()[0]?.StudyInstanceUID;
  if (dataSource === undefined || study === undefined) throw new Error('The viewer has no study open.');
  forgetStudy(dataSource, study);
  const filters = { seriesInstanceUID: [seriesInstanceUid] };
  await dataSource.retrieve.series.metadata({ StudyInstanceUID: study, filters });
  // So that the next one who asks for the whole study does not get this one series.
  forgetStudy(dataSource, study);
}

/** The data source keeps the headers of a study under its own name, and forgets them under the study's name only. */
function forgetStudy(dataSource: DataSource, study: string): void {
  dataSource.deleteStudyMetadataPromise?.(study);
  dataSource.deleteStudyMetadataPromise?.(`${dataSource.getConfig?.().name}:${study}`);
}

function find(viewer: Viewer, sopInstanceUid: string): DisplaySet | undefined {
  return viewer.services.displaySetService
    .getActiveDisplaySets()
    .find(displaySet => displaySet.Modality === 'SEG' && displaySet.SOPInstanceUID === sopInstanceUid);
}
