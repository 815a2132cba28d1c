// Configuration of stock OHIF 3.13 behind the gateway (one origin, so no CORS).
window.config = {
  name: 'delineate',
  routerBasename: '/',
  showStudyList: true,
  extensions: [],
  modes: [],
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
