/** Puts the panel's style sheet into a document, once. */
import base from './style/base.css';
import controls from './style/controls.css';
import reports from './style/reports.css';
import session from './style/session.css';

const ID = 'delineate-panel-style';

export function installStylesheet(document: Document): void {
  if (document.getElementById(ID) !== null) {
    return;
  }
  const style = document.createElement('style');
  style.id = ID;
  style.textContent = [base, controls, session, reports].join('\n');
  document.head.append(style);
}
