import { type Options, Presets, SingleBar } from 'cli-progress';

export interface Progress {
  /** `text` says where in the story we are. */
  tell(text: string): void;
  add(count: number): void;
  end(): void;
}

/** A bar on a terminal, a line per chapter elsewhere. */
export function progressOf(total: number, unit: string): Progress {
  return process.stdout.isTTY ? bar(total, unit) : lines(total, unit);
}

function bar(total: number, unit: string): Progress {
  const options: Options = {
    format: `  {bar} {value} of {total} ${unit}  {story}`,
    barsize: 30,
    hideCursor: true,
    clearOnComplete: false,
    // Between posts the clock moves and nothing is added: the story still has to be drawn.
    noTTYOutput: false,
    forceRedraw: true,
  };
  const single = new SingleBar(options, Presets.shades_classic);
  single.start(total, 0, { story: '' });
  return {
    tell: (text) => single.update({ story: text }),
    add: (count) => single.increment(count),
    end: () => single.stop(),
  };
}

function lines(total: number, unit: string): Progress {
  let done = 0;
  return {
    tell: (text) => console.log(`  ${text} (${done.toLocaleString('en')} of ${total.toLocaleString('en')} ${unit})`),
    add: (count) => void (done += count),
    end: () => console.log(`  ${done.toLocaleString('en')} ${unit} sent`),
  };
}
