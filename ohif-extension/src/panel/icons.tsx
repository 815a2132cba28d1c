/** The panel's icons, drawn on a 24 x 24 grid in the style of OHIF's own. */
import type { ReactElement, ReactNode } from 'react';

const SHAPES = {
  point: (
    <>
      <circle cx="12" cy="12" r="2.5" fill="currentColor" stroke="none" />
      <path d="M12 3.5v4M12 16.5v4M3.5 12h4M16.5 12h4" />
    </>
  ),
  box: (
    <>
      <rect x="5" y="6.5" width="14" height="11" />
      <path d="M4 5.5h2v2H4zM18 5.5h2v2h-2zM4 16.5h2v2H4zM18 16.5h2v2h-2z" fill="currentColor" />
    </>
  ),
  scribble: <path d="M4 15.5c3-9.5 6-9.5 5.5-3.5-.4 5 2.5 5 4.5.5 1.8-4 4-3.5 3.5 0-.3 2.5 1 3 2.5 2" />,
  lasso: (
    <>
      <path d="M12 5c4.7 0 8.5 2.5 8.5 5.7S16.7 16.4 12 16.4 3.5 13.9 3.5 10.7 7.3 5 12 5z" strokeDasharray="2.6 2" />
      <path d="M8 16.2c1.8 1.3.8 3.8-2 3.3" />
    </>
  ),
  show: (
    <>
      <path d="M3.5 12S6.5 6.5 12 6.5 20.5 12 20.5 12 17.5 17.5 12 17.5 3.5 12 3.5 12z" />
      <circle cx="12" cy="12" r="2.5" />
    </>
  ),
  hide: (
    <>
      <path d="M3.5 12S6.5 6.5 12 6.5 20.5 12 20.5 12 17.5 17.5 12 17.5 3.5 12 3.5 12z" />
      <circle cx="12" cy="12" r="2.5" />
      <path d="M5 19 19 5" />
    </>
  ),
  lock: (
    <>
      <rect x="6.5" y="11" width="11" height="8" rx="1" />
      <path d="M9 11V8.5a3 3 0 0 1 6 0V11" />
    </>
  ),
  unlock: (
    <>
      <rect x="6.5" y="11" width="11" height="8" rx="1" />
      <path d="M9 11V8a3 3 0 0 1 5.7-1.3" />
    </>
  ),
  name: <path d="M5 19l1-4L15.5 5.5l3 3L9 18l-4 1zM13.5 7.5l3 3" />,
  reset: <path d="M18.5 9A7 7 0 1 0 19 12.5M18.8 4.8V9.3h-4.5" />,
  remove: <path d="M5 7.5h14M9.5 7.5V5h5v2.5M7 7.5 7.8 19h8.4L17 7.5M10.5 10.5v5.5M13.5 10.5v5.5" />,
  undo: <path d="M8.5 5.5 4.5 9.5l4 4M5 9.5h8.5a5 5 0 0 1 0 10H9" />,
  redo: <path d="M15.5 5.5l4 4-4 4M19 9.5h-8.5a5 5 0 0 0 0 10H15" />,
  add: <path d="M12 5.5v13M5.5 12h13" />,
  next: <path d="M7 6l6 6-6 6M13 6l6 6-6 6" />,
  open: <path d="M6 9.5l6 6 6-6" />,
  settings: (
    <>
      <path d="M4.5 7.5h8M17.5 7.5h2M4.5 16.5h2M11.5 16.5h8" />
      <circle cx="15" cy="7.5" r="2.3" />
      <circle cx="9" cy="16.5" r="2.3" />
    </>
  ),
  done: <path d="M5.5 12.5l4.5 4.5L19 7.5" />,
  warning: <path d="M12 4.5 20.5 19h-17L12 4.5zM12 10v4.5M12 16.6v.2" />,
  info: (
    <>
      <circle cx="12" cy="12" r="8" />
      <path d="M12 11v5M12 8.2v.2" />
    </>
  ),
  star: <path d="M12 4.5l2.3 4.9 5.2.7-3.8 3.7 1 5.3-4.7-2.6-4.7 2.6 1-5.3-3.8-3.7 5.2-.7z" />,
  close: <path d="M6.5 6.5l11 11M17.5 6.5l-11 11" />,
  ruler: <path d="M4 15.5 15.5 4 20 8.5 8.5 20zM7.5 12l1.8 1.8M10.5 9l2.5 2.5M13.5 6l1.8 1.8" />,
  versions: (
    <>
      <path d="M4.5 9.5 12 6l7.5 3.5L12 13z" />
      <path d="M4.5 13.5 12 17l7.5-3.5" />
    </>
  ),
  export: <path d="M12 14.5v-9M8.5 9 12 5.5 15.5 9M5 14v4.5h14V14" />,
  include: <path d="M12 7v10M7 12h10" />,
  exclude: <path d="M7 12h10" />,
} satisfies Record<string, ReactNode>;

export type IconName = keyof typeof SHAPES;

interface IconProps {
  readonly name: IconName;
  readonly size?: number;
  readonly filled?: boolean;
}

/** An icon; decoration only, so the control that holds it needs a name of its own. */
export function Icon({ name, size = 20, filled = false }: IconProps): ReactElement {
  return (
    <svg
      className="dl-icon"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill={filled ? 'currentColor' : 'none'}
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      {SHAPES[name]}
    </svg>
  );
}
