/** The harness page: mounts the panel in the state that the address names, as in `?state=oblique`. */
import { mountPanel } from '../../src/panel';
import { HandMadeController } from './controller';
import { IDLE, STATES } from './states';

const { state: name = 'ready', width = '340' } = Object.fromEntries(new URLSearchParams(location.search));
const element = document.getElementById('panel');
if (element === null) {
  throw new Error('The page has no element #panel.');
}
element.style.width = `${width}px`;
mountPanel(element, new HandMadeController(STATES[name] ?? IDLE));
const links = Object.keys(STATES).map(state => `<a href="?state=${state}">${state}</a>`);
document.getElementById('states')?.insertAdjacentHTML('beforeend', links.join('<br>'));
