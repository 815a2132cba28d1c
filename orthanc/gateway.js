// Rewrites the query string of DICOMweb requests (nginx njs).
//
// OHIF joins the attributes of `includefield` by an escaped comma, which
// Orthanc's DICOMweb plugin 1.7 takes for a part of the name.

function archiveQuery(request) {
  return (request.variables.args || '').replace(/%2c/gi, ',');
}

export default { archiveQuery };
