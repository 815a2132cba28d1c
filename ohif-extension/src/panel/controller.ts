/** The store and its actions, for the views. */
import { createContext, useCallback, useContext, useEffect, useRef, useState, useSyncExternalStore } from 'react';

import type { Actions, Controller, PanelState } from '../types';

export const ControllerContext = createContext<Controller | null>(null);

function useController(): Controller {
  const controller = useContext(ControllerContext);
  if (controller === null) {
    throw new Error('A view of the panel was rendered outside of mountPanel.');
  }
  return controller;
}

export function useActions(): Actions {
  return useController().actions;
}

export function usePanelState(): PanelState {
  const controller = useController();
  const subscribe = useCallback((listener: () => void) => controller.subscribe(listener), [controller]);
  return useSyncExternalStore(subscribe, () => controller.getState());
}

/** Whether an action that this view started is under way, and how to start one. A second start meanwhile is ignored. */
export function usePending(): readonly [boolean, (action: () => Promise<unknown>) => void] {
  const [pending, setPending] = useState(false);
  const busy = useRef(false);
  const mounted = useRef(true);
  useEffect(() => {
    mounted.current = true;
    return () => {
      mounted.current = false;
    };
  }, []);
  const start = useCallback((action: () => Promise<unknown>) => {
    if (busy.current) {
      return;
    }
    busy.current = true;
    setPending(true);
    void action().finally(() => {
      busy.current = false;
      if (mounted.current) {
        setPending(false);
      }
    });
  }, []);
  return [pending, start];
}

/** Seconds since the epoch, renewed every second while `running`. */
export function useNow(running: boolean): number {
  const [now, setNow] = useState(() => Date.now() / 1000);
  useEffect(() => {
    if (!running) {
      return undefined;
    }
    setNow(Date.now() / 1000);
    const timer = setInterval(() => setNow(Date.now() / 1000), 1000);
    return () => clearInterval(timer);
  }, [running]);
  return now;
}
