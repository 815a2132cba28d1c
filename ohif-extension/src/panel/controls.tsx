/** The panel's building blocks: buttons, switches, sections, badges, progress. */
import { useId, type ButtonHTMLAttributes, type CSSProperties, type ReactElement, type ReactNode } from 'react';

import type { Problem } from '../types';
import { Icon, type IconName } from './icons';
import { advice } from './words';

type Look = 'primary' | 'secondary' | 'ghost' | 'danger';

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly look?: Look;
  readonly icon?: IconName;
  readonly wide?: boolean;
  readonly testId: string;
}

export function Button({ look = 'secondary', icon, wide, testId, children, ...rest }: ButtonProps): ReactElement {
  return (
    <button type="button" className={`dl-button dl-button-${look}${wide ? ' dl-wide' : ''}`} data-cy={testId} {...rest}>
      {icon && <Icon name={icon} size={18} />}
      <span className="dl-truncate">{children}</span>
    </button>
  );
}

interface IconButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly icon: IconName;
  /** What it does; its accessible name, and with `keys` its tooltip. */
  readonly label: string;
  readonly keys?: string;
  readonly filled?: boolean;
  readonly testId: string;
}

export function IconButton({ icon, label, keys, filled, testId, ...rest }: IconButtonProps): ReactElement {
  return (
    <button
      type="button"
      className="dl-icon-button"
      aria-label={label}
      title={keys ? `${label} (${keys})` : label}
      data-cy={testId}
      {...rest}
    >
      <Icon name={icon} filled={filled ?? false} />
    </button>
  );
}

interface SectionProps {
  readonly title: string;
  readonly actions?: ReactNode;
  readonly testId: string;
  readonly children: ReactNode;
}

export function Section({ title, actions, testId, children }: SectionProps): ReactElement {
  const id = useId();
  return (
    <section className="dl-section" aria-labelledby={id} data-cy={testId}>
      <header className="dl-section-head">
        <h2 id={id}>{title}</h2>
        {actions && <div className="dl-row dl-gap-1">{actions}</div>}
      </header>
      <div className="dl-section-body">{children}</div>
    </section>
  );
}

interface Option<T extends string> {
  readonly value: T;
  readonly text: string;
  readonly title?: string;
  readonly icon?: IconName;
  /** Of the icon, and a tint of the option when it is the chosen one. */
  readonly colour?: string;
}

interface ChoiceProps<T extends string> {
  readonly label: string;
  readonly value: T | null;
  readonly options: readonly Option<T>[];
  readonly disabled?: boolean;
  readonly testId: string;
  readonly onChange: (value: T) => void;
}

/** One of a few, side by side: native radio buttons, so that the arrow keys and screen readers work as people know. */
export function Choice<T extends string>({
  label,
  value,
  options,
  disabled,
  testId,
  onChange,
}: ChoiceProps<T>): ReactElement {
  const name = useId();
  return (
    <div className="dl-choice" role="radiogroup" aria-label={label} data-cy={testId}>
      {options.map(option => (
        <label key={option.value} className="dl-choice-item" title={option.title}>
          <input
            type="radio"
            name={name}
            value={option.value}
            checked={option.value === value}
            disabled={disabled}
            data-cy={`${testId}-${option.value}`}
            onChange={() => onChange(option.value)}
          />
          <span
            className="dl-choice-text"
            style={option.colour ? ({ '--dl-tint': option.colour } as CSSProperties) : undefined}
          >
            {option.icon && (
              <span className="dl-choice-icon">
                <Icon name={option.icon} size={16} />
              </span>
            )}
            {option.text}
          </span>
        </label>
      ))}
    </div>
  );
}

type Tone = 'neutral' | 'good' | 'warn' | 'bad';

export function Badge({
  tone = 'neutral',
  testId,
  title,
  children,
}: {
  readonly tone?: Tone;
  readonly testId?: string;
  readonly title?: string;
  readonly children: ReactNode;
}): ReactElement {
  return (
    <span className={`dl-badge dl-${tone}`} data-cy={testId} title={title}>
      {children}
    </span>
  );
}

export function Progress({
  label,
  done,
  total,
  testId,
}: {
  readonly label: string;
  readonly done: number;
  readonly total: number;
  readonly testId: string;
}): ReactElement {
  const known = total > 0;
  const percent = known ? Math.min(100, Math.floor((100 * done) / total)) : 0;
  return (
    <div className="dl-progress" data-cy={testId}>
      <div className="dl-progress-words">
        <span className="dl-truncate">{label}</span>
        {known && (
          <span className="dl-number">
            {done} of {total}
          </span>
        )}
      </div>
      <div
        className="dl-progress-track"
        role="progressbar"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={known ? percent : undefined}
      >
        <div
          className={known ? 'dl-progress-bar' : 'dl-progress-bar dl-progress-unknown'}
          style={known ? { width: `${percent}%` } : undefined}
        />
      </div>
    </div>
  );
}

export function Spinner(): ReactElement {
  return <span className="dl-spinner" aria-hidden="true" />;
}

interface NoticeProps {
  readonly tone: Exclude<Tone, 'neutral'> | 'info';
  readonly testId: string;
  readonly children: ReactNode;
  readonly actions?: ReactNode;
  readonly role?: 'alert' | 'note';
}

/** A boxed remark beside what it is about. */
export function Notice({ tone, testId, children, actions, role = 'note' }: NoticeProps): ReactElement {
  const icon: IconName = tone === 'info' ? 'info' : tone === 'good' ? 'done' : 'warning';
  return (
    <div className={`dl-notice dl-notice-${tone}`} role={role} data-cy={testId}>
      <Icon name={icon} size={18} />
      <div className="dl-notice-body">
        {children}
        {actions && <div className="dl-notice-actions">{actions}</div>}
      </div>
    </div>
  );
}

/** A problem where it happened: what happened, why, and what to do next. */
export function ProblemNotice({
  problem,
  testId,
  actions,
  onDismiss,
}: {
  readonly problem: Problem;
  readonly testId: string;
  readonly actions?: ReactNode;
  readonly onDismiss?: () => void;
}): ReactElement {
  const next = advice(problem.type);
  return (
    <Notice tone="bad" role="alert" testId={testId} actions={actions}>
      <div className="dl-row">
        <strong className="dl-grow">{problem.title}</strong>
        {onDismiss && <IconButton icon="close" label="Dismiss" testId={`${testId}-dismiss`} onClick={onDismiss} />}
      </div>
      {problem.detail && problem.detail !== problem.title && <p>{problem.detail}</p>}
      {next && <p className="dl-next">{next}</p>}
    </Notice>
  );
}
