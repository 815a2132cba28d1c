/** A part of the panel that is closed until somebody wants it. */
import { useId, useState, type ReactElement, type ReactNode } from 'react';

import { Icon, type IconName } from './icons';

interface Props {
  readonly icon: IconName;
  readonly title: string;
  readonly testId: string;
  /** Called when it is opened. */
  readonly onOpen?: () => void;
  readonly children: ReactNode;
}

export function Fold({ icon, title, testId, onOpen, children }: Props): ReactElement {
  const [open, setOpen] = useState(false);
  const id = useId();
  const toggle = () => {
    setOpen(!open);
    if (!open) {
      onOpen?.();
    }
  };
  return (
    <section aria-label={title} data-cy={testId}>
      <button
        type="button"
        className="dl-line"
        aria-expanded={open}
        aria-controls={id}
        data-cy={`${testId}-toggle`}
        onClick={toggle}
      >
        <Icon name={icon} size={18} />
        <span className="dl-grow">{title}</span>
        <Icon name="open" size={18} />
      </button>
      <div id={id} className={open ? 'dl-section-body' : ''}>
        {open && children}
      </div>
    </section>
  );
}
