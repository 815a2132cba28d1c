import { beforeEach, describe, expect, it } from 'vitest';

import type { PromptReply } from '../../src/api/wire';
import { drawingOf } from '../../src/prompts/body';
import { PromptBook } from '../../src/session/book';
import type { Drawing } from '../../src/types';

function reply(id: string, state: PromptReply['state'] = 'applied', kind: PromptReply['kind'] = 'point'): PromptReply {
  return {
    id,
    kind,
    state,
    include: true,
    frame_of_reference_uid: '1.2',
    points: [[1, 2, 3]],
    plane_normal: null,
    sop_instance_uid: null,
    frame_number: null,
  };
}

function drawing(id: string): Drawing {
  return drawingOf(reply(id), '1.3', [0, 0, 1])!;
}

let book: PromptBook;

beforeEach(() => {
  book = new PromptBook();
});

function adopt(...prompts: PromptReply[]): void {
  book.adopt(prompts, prompt => drawingOf(prompt, '1.3', [0, 0, 1]));
}

function ids(): string[] {
  return book.drawings.map(d => d.id);
}

describe('what is drawn', () => {
  it('is what is in effect: it goes with undo and comes back with redo', () => {
    for (const id of ['a', 'b']) {
      book.add(id, drawing(id));
      book.applied([id]);
    }
    expect(ids()).toEqual(['a', 'b']);
    book.undone(['b']);
    expect(ids()).toEqual(['a']);
    book.redone(['b']);
    expect(ids()).toEqual(['a', 'b']);
    book.cleared();
    expect(ids()).toEqual([]);
  });

  it('is what the service says, and after it what it has not been told', () => {
    book.add('mine', drawing('mine'));
    adopt(reply('theirs'), reply('edit', 'applied', 'labelmap'));
    expect(ids()).toEqual(['theirs', 'mine']);
    book.applied(['mine']);
    adopt(reply('theirs'), reply('edit', 'applied', 'labelmap'), reply('mine'));
    expect(ids()).toEqual(['theirs', 'mine']);
  });

  it('keeps the viewer’s own drawing of a prompt that the service lists', () => {
    const mine = drawing('a');
    book.add('a', mine);
    adopt(reply('a'));
    expect(book.drawings[0]).toBe(mine);
  });
});

describe('counts', () => {
  it('are of what runs and of what is collected', () => {
    book.add('a', drawing('a'));
    expect([book.running, book.collected, book.canUndo]).toEqual([1, 0, true]);
    book.collect('a');
    expect([book.running, book.collected, book.canUndo]).toEqual([0, 1, true]);
    adopt(reply('a', 'running'), reply('b', 'waiting'), reply('c', 'collected'));
    expect([book.running, book.collected]).toEqual([2, 1]);
    book.applied(['a', 'b']);
    expect([book.running, book.collected]).toEqual([0, 1]);
    book.drop('c');
    expect([book.running, book.collected, book.canUndo]).toEqual([0, 0, false]);
  });

  it('do not count a prompt twice that both know', () => {
    book.add('a', drawing('a'));
    adopt(reply('a', 'waiting'));
    expect(book.running).toBe(1);
  });
});

describe('history', () => {
  it('follows the steps until the service tells', () => {
    book.stepped('prompt', true);
    expect([book.canUndo, book.canRedo]).toEqual([true, false]);
    book.stepped('undo', true);
    expect(book.canRedo).toBe(true);
    book.stepped('reset', true);
    expect([book.canUndo, book.canRedo]).toEqual([true, false]);
    book.adoptHistory(false, true);
    expect([book.canUndo, book.canRedo]).toEqual([false, true]);
  });

  it('is as it was when an undo only cancelled a prompt', () => {
    book.stepped('undo', false);
    expect([book.canUndo, book.canRedo]).toEqual([false, false]);
  });
});
