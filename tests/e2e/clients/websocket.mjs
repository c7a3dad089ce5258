// What browsers have, and node from version 22 on.
import { WebSocket } from "ws";

globalThis.WebSocket ??= WebSocket;
