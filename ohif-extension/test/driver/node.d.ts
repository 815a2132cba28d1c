/** The little of Node.js that the driver uses; its own types would change those of the browser's timers everywhere. */

declare module 'node:readline' {
  interface Lines {
    on(event: 'line', listener: (line: string) => void): Lines;
    on(event: 'close', listener: () => void): Lines;
  }
  export function createInterface(options: { readonly input: unknown }): Lines;
}

declare const process: {
  readonly stdin: unknown;
  readonly stdout: { write(text: string): void };
  exit(code: number): never;
};
