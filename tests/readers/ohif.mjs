// Reads DICOM SEG files as OHIF 3.13.2 does, with the packages that it is built from, and writes what it would show.
//
// Standard input: [{seg, frames, out, images: [{uid, frame, frames, rows, columns, series, frameOfReference,
// position, orientation, spacing}]}]. `images` is the stack that OHIF shows, in any order; `frames` are the SEG's frames
// as an archive gives them one by one (base64). Standard output, for each SEG and each way of loading it: {error} or
// {layers, file, segments, skipped}; `file` holds the layers' labelmaps, one 16-bit value per voxel, in the order of
// `images`.
import { readFileSync, writeFileSync } from 'node:fs';
import { adaptersSEG } from '@cornerstonejs/adapters';
import { cache, metaData } from '@cornerstonejs/core';
import { Enums, registerDefaultProviders, utilities } from '@cornerstonejs/metadata';
import dcmjs from 'dcmjs';

const TOLERANCE = 0.001; // as in OHIF's SEG handler
const { createFromDICOMSegBuffer, createFromDicomSegImageId } = adaptersSEG.Cornerstone3D.Segmentation;
const { DicomMessage, DicomMetaDictionary } = dcmjs.data;

let stack = new Map();
let skipped = 0;
let instances = 0;
console.warn = (message) => {
  skipped += /can't import frame/.test(String(message)) ? 1 : 0;
};
console.error = () => {};

registerDefaultProviders();
metaData.addProvider((type, imageId) => stack.get(imageId)?.[type], 10_000);

function modules(image) {
  const [rowCosines, columnCosines] = [image.orientation.slice(0, 3), image.orientation.slice(3)];
  return {
    generalImageModule: { sopInstanceUID: image.uid },
    generalSeriesModule: { seriesInstanceUID: image.series, modality: 'CT' },
    imagePixelModule: { bitsAllocated: 16, bitsStored: 16, highBit: 15, samplesPerPixel: 1, pixelRepresentation: 0 },
    imagePlaneModule: {
      frameOfReferenceUID: image.frameOfReference,
      rows: image.rows,
      columns: image.columns,
      rowCosines,
      columnCosines,
      imageOrientationPatient: image.orientation,
      imagePositionPatient: image.position,
      rowPixelSpacing: image.spacing[0],
      columnPixelSpacing: image.spacing[1],
      pixelSpacing: image.spacing,
    },
    instance: {
      SOPInstanceUID: image.uid,
      SeriesInstanceUID: image.series,
      FrameOfReferenceUID: image.frameOfReference,
      Rows: image.rows,
      Columns: image.columns,
      ImagePositionPatient: image.position,
      NumberOfFrames: image.frames,
    },
  };
}

const imageIdOf = ({ uid, frame }) => `wadors:/instances/${uid}/frames/${frame}`;

function naturalized(buffer) {
  const file = DicomMessage.readFile(buffer);
  const dataset = DicomMetaDictionary.naturalizeDataset(file.dict);
  dataset._meta = DicomMetaDictionary.namifyDataset(file.meta);
  return dcmjs.normalizers.Normalizer.normalizeToDataset([dataset]);
}

// What OHIF uses: it fetches the instance whole, has dcmjs take it apart, and loads each frame as an image; a loader of
// uncompressed images passes the frame's bytes on.
async function wholeInstance(imageIds, buffer) {
  const instance = `wadors:/instances/seg${++instances}`;
  await utilities.addDicomPart10Instance(instance, buffer);
  const type = Enums.MetadataModules.COMPRESSED_FRAME_DATA;
  return loadFrames(instance, imageIds, buffer, (id, n) => metaData.getTyped(type, id, { frameIndex: n - 1 }).pixelData);
}

// What OHIF does if that throws: it asks the archive for each frame.
async function frameByFrame(imageIds, buffer, { frames }) {
  const instance = `wadors:/instances/seg${++instances}`;
  return loadFrames(instance, imageIds, buffer, (_, n) => Buffer.from(frames[n - 1], 'base64'));
}

async function loadFrames(instance, imageIds, buffer, pixelData) {
  const multiframe = naturalized(buffer);
  const frameImageIds = Array.from({ length: multiframe.NumberOfFrames || 1 }, (_, n) => `${instance}/frames/${n + 1}`);
  stack.set(frameImageIds[0], { instance: multiframe });
  return createFromDicomSegImageId(imageIds, frameImageIds[0], {
    metadataProvider: metaData,
    tolerance: TOLERANCE,
    frameImageIds,
    decodeImageData: async (id, n) => joined(pixelData(id, n)),
  });
}

function joined(pixelData) {
  const parts = [pixelData].flat().map((part) => Buffer.from(part));
  return new Uint8Array(Buffer.concat(parts));
}

// The packages' other loader, for those who have the file.
async function wholeBuffer(imageIds, buffer) {
  return createFromDICOMSegBuffer(imageIds, buffer, { metadataProvider: metaData, tolerance: TOLERANCE });
}

async function read(loader, job, out) {
  const { seg, images } = job;
  stack = new Map(images.map((image) => [imageIdOf(image), modules(image)]));
  skipped = 0;
  const file = readFileSync(seg);
  const buffer = file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength);
  try {
    const { labelMapImages, segMetadata } = await loader(images.map(imageIdOf), buffer, job);
    const size = images[0].rows * images[0].columns;
    const shown = new Uint16Array(labelMapImages.flat().length * size);
    labelMapImages.flat().forEach((image, n) => shown.set(image.getPixelData(), n * size));
    writeFileSync(out, shown);
    const segments = segMetadata.data.map((item) => item && describe(item));
    return { layers: labelMapImages.length, file: out, segments, skipped };
  } catch (error) {
    return { error: String(error?.message ?? error) };
  } finally {
    cache.purgeCache();
  }
}

const describe = ({ SegmentNumber, SegmentLabel, RecommendedDisplayCIELabValue }) => ({
  number: SegmentNumber,
  label: SegmentLabel,
  lab: RecommendedDisplayCIELabValue,
});

const results = [];
for (const job of JSON.parse(readFileSync(0, 'utf8'))) {
  results.push({
    whole: await read(wholeInstance, job, `${job.out}.whole`),
    frames: await read(frameByFrame, job, `${job.out}.frames`),
    buffer: await read(wholeBuffer, job, `${job.out}.buffer`),
  });
}
process.stdout.write(JSON.stringify(results), () => process.exit(0));
