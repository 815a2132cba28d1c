// Configuration of stock OHIF 3.13 behind the gateway (one origin, so no CORS).

// Delineate's files are asked for when the viewer starts (a mode of 1 KB) and when a mode that has its panel is opened.
// Without them the viewer is as it would be without these lines.
const delineateMode = (id, name) => {
  const modeFactory = async context => {
    try {
      const modes = await import('/delineate-extension/mode.js');
      return await modes[name].modeFactory(context);
    } catch (error) {
      console.warn('Delineate is not available:', error);
      const [stock] = id.startsWith('@ohif/') ? await context.loadModules([id]) : [];
      return stock?.modeInstance;
    }
  };
  return { id, modeFactory };
};

window.config = {
  name: 'delineate',
  routerBasename: '/',
  showStudyList: true,
  extensions: [],
  modes: [
    delineateMode('@delineate/mode', 'default'),
    // OHIF's own segmentation mode, with our panel as one tab more.
    delineateMode('@ohif/mode-segmentation', 'segmentation'),
  ],
  customizationService: {
    // No guided tour over the first study.
    global: { 'ohif.tours': { $set: [] } },
  },
  maxNumberOfWebWorkers: 3,
  showLoadingIndicator: true,
  showWarningMessageForCrossOrigin: false,
  showCPUFallbackMessage: false,
  strictZSpacingForVolumeViewport: true,
  // The first click in another viewport is a prompt already.
  activateViewportBeforeInteraction: false,
  // A double click on a SEG loads it, without one more question.
  disableConfirmationPrompts: true,
  investigationalUseDialog: { option: 'never' },
  defaultDataSourceName: 'archive',
  dataSources: [
    {
      namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
      sourceName: 'archive',
      configuration: {
        friendlyName: 'Archive',
        name: 'archive',
        qidoRoot: '/dicom-web',
        wadoRoot: '/dicom-web',
        qidoSupportsIncludeField: true,
        supportsReject: false,
        supportsFuzzyMatching: false,
        supportsWildcard: true,
        imageRendering: 'wadors',
        // Orthanc answers /rendered, but 404 to /thumbnail.
        thumbnailRendering: 'wadors',
        enableStudyLazyLoad: true,
        dicomUploadEnabled: false,
        omitQuotationForMultipartRequest: true,
        singlepart: 'bulkdata,video,pdf',
        bulkDataURI: { enabled: true, relativeResolution: 'studies' },
      },
    },
  ],
};
