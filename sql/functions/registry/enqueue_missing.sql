CREATE FUNCTION pgsim.enqueue_missing(collection text, model text = NULL, embedding text = 'default', order_by text = NULL) RETURNS bigint
LANGUAGE sql
RETURN pgsim._enqueue_missing(enqueue_missing.collection, enqueue_missing.model, enqueue_missing.embedding, enqueue_missing.order_by, pg_catalog.current_setting('search_path'));
COMMENT ON FUNCTION pgsim.enqueue_missing IS
$$Queues the rows of a version that have no vector, or one made from another text, and are not queued yet; returns how many.

It finds them by comparing the tables, so it also mends a queue that missed something: rows that were there before the version,
that came in through a partition made since, or were written while triggers were off. Of an adopted column it finds the NULLs.
Rows without text are left out, and those set aside (pgsim.poison_rows). It takes no lock on the base table.

order_by: in which order they are to be embedded; what it queued before in another order is queued anew, and counted. recency: rows
last written first. hot: rows that recorded searches found most often first (pgsim.record_searches). Anything else is SQL over the
table, 'published DESC, id'; never build it from what users type. model NULL: the active version.
Errors: PS001 to PS006, PS010, PS032, PS035, PS047.$$;
