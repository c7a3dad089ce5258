/** Subscribe to events. A client that comes back reads the variables anew, and so goes on after the newest event. */
export const follow = (client, query, variables, sink) =>
  client.subscribe({ query, variables }, {
    ...sink,
    next(result) {
      const [event] = Object.values(result.data ?? {});
      if (event?.cursor) variables.after = event.cursor;
      sink.next(result);
    },
  });
