/** Studies, series and SEGs as the viewer knows them. */

import type { Series, StoredSegmentation, Study } from '../types';
import type { DisplaySet, Instance, PersonName } from './ohif';
import { isImageSeries, type Viewer } from './viewer';

export function studyOf(viewer: Viewer): Study | null {
  const [series] = viewer.imageDisplaySets(viewer.services.viewportGridService.getActiveViewportId() ?? '');
  const displaySet = series ?? viewer.services.displaySetService.getActiveDisplaySets().find(isImageSeries);
  const instance = displaySet?.instances?.[0];
  if (instance === undefined) return null;
  return {
    studyInstanceUid: instance.StudyInstanceUID,
    description: instance.StudyDescription ?? '',
    date: dateOf(instance.StudyDate),
    patientName: nameOf(instance.PatientName),
    patientId: instance.PatientID ?? '',
  };
}

export function activeSeriesOf(viewer: Viewer): Series | null {
  const { viewportGridService, displaySetService } = viewer.services;
  const viewportId = viewportGridService.getActiveViewportId() ?? '';
  const [shown] = viewer.imageDisplaySets(viewportId);
  if (shown !== undefined) return seriesOf(shown);
  // A viewport with a SEG that is not loaded yet shows the images that it references.
  const [uid] = viewportGridService.getDisplaySetsUIDsForViewport(viewportId) ?? [];
  const referenced = displaySetService.getDisplaySetByUID(uid ?? '')?.referencedDisplaySetInstanceUID;
  const images = displaySetService.getDisplaySetByUID(referenced ?? '');
  return images !== undefined && isImageSeries(images) ? seriesOf(images) : null;
}

/** Any series of the study; the first display set where the viewer has made several of it. */
export function seriesByUid(viewer: Viewer, seriesInstanceUid: string): Series | null {
  const displaySet = viewer.services.displaySetService
    .getActiveDisplaySets()
    .find(set => set.SeriesInstanceUID === seriesInstanceUid && isImageSeries(set));
  return displaySet === undefined ? null : seriesOf(displaySet);
}

function seriesOf(displaySet: DisplaySet): Series {
  return {
    studyInstanceUid: displaySet.StudyInstanceUID,
    seriesInstanceUid: displaySet.SeriesInstanceUID,
    displaySetInstanceUid: displaySet.displaySetInstanceUID,
    description: displaySet.SeriesDescription ?? '',
    modality: displaySet.Modality,
    instances: displaySet.instances?.length ?? displaySet.imageIds?.length ?? 0,
    reconstructable: displaySet.isReconstructable === true,
  };
}

export function storedSegmentationsOf(viewer: Viewer): StoredSegmentation[] {
  return viewer.services.displaySetService
    .getActiveDisplaySets()
    .filter(isStoredSegmentation)
    .map(displaySet => ({
      seriesInstanceUid: displaySet.SeriesInstanceUID,
      sopInstanceUid: displaySet.SOPInstanceUID,
      displaySetInstanceUid: displaySet.displaySetInstanceUID,
      description: displaySet.SeriesDescription ?? '',
      referencedSeriesInstanceUid: displaySet.referencedSeriesInstanceUID ?? null,
    }));
}

function isStoredSegmentation(displaySet: DisplaySet): displaySet is DisplaySet & { readonly SOPInstanceUID: string } {
  return displaySet.Modality === 'SEG' && displaySet.SOPInstanceUID !== undefined;
}

/** DICOM's `Last^First^Middle` of the alphabetic representation, in reading order. */
export function nameOf(name: Instance['PatientName']): string {
  const first = Array.isArray(name) ? (name as readonly PersonName[])[0] : (name as string | PersonName | undefined);
  const text = typeof first === 'string' ? first : (first?.Alphabetic ?? '');
  const [family = '', given = '', middle = ''] = text.split('^').map(part => part.trim());
  return [family, [given, middle].filter(Boolean).join(' ')].filter(Boolean).join(', ');
}

/** `YYYYMMDD` as `YYYY-MM-DD`; anything else as it is. */
export function dateOf(date: string | undefined): string {
  return date?.replace(/^(\d{4})(\d{2})(\d{2})$/, '$1-$2-$3') ?? '';
}
