import "./websocket.mjs";
await import("./main.js");
