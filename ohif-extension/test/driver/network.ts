/** The real network, which a test can cut, and whose replies it can hold back. */

export class Network {
  private up = true;
  private holding: RegExp | null = null;
  private readonly held: (() => void)[] = [];

  readonly fetch: typeof fetch = async (input, init) => {
    if (!this.up) throw new TypeError('the network is cut');
    const response = await fetch(input, init);
    const url = input instanceof Request ? input.url : String(input);
    return this.holding?.test(url) === true ? this.withheld(response) : response;
  };

  cut(): void {
    this.up = false;
  }

  restore(): void {
    this.up = true;
  }

  /** Hold back the bodies of replies from addresses like this; heads arrive. */
  hold(pattern: string): void {
    this.holding = new RegExp(pattern);
  }

  /** Let go what is held, the last first, and hold no more. */
  releaseReversed(): void {
    this.holding = null;
    for (const release of this.held.splice(0).reverse()) release();
  }

  get heldCount(): number {
    return this.held.length;
  }

  private withheld(response: Response): Response {
    const { status, headers } = response;
    const reader = response.body!.getReader();
    const released = new Promise<void>(resolve => this.held.push(resolve));
    const body = new ReadableStream<Uint8Array>({
      async pull(stream) {
        await released;
        const { done, value } = await reader.read();
        if (done) stream.close();
        else stream.enqueue(value);
      },
      cancel: reason => reader.cancel(reason),
    });
    return new Response(body, { status, headers });
  }
}
