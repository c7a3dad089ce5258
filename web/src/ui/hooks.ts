import { useSyncExternalStore } from "react";
import { currentSession, onSession, type Session } from "../api/session";
import { type Connection, currentConnection, onConnection } from "../api/socket";
import { currentTheme, onTheme, type Theme } from "./theme";

export const useSession = (): Session | null => useSyncExternalStore(onSession, currentSession);
export const useConnection = (): Connection => useSyncExternalStore(onConnection, currentConnection);
export const useTheme = (): Theme => useSyncExternalStore(onTheme, currentTheme);
