/** Subscribe to events. A client that reconnects reads the variables again, and so resumes after the newest event. */
export const follow = (client, query, variables, sink) =>
  client.subscribe({ query, variables }, {
    ...sink,
    next(result) {
      const [event] = Object.values(result.data ?? {});
      if (event?.cursor) variables.after = event.cursor;
      sink.next(result);
    },
  });
