// The global WebSocket of browsers and of Node from version 22.
import { WebSocket } from "ws";

globalThis.WebSocket ??= WebSocket;
