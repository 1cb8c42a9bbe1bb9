CREATE FUNCTION pgsim.text_statistics(collection text, OUT rows bigint, OUT words bigint, OUT mean_length float8, OUT bytes bigint, OUT pending bigint)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection := pgsim._collection_row(collection);
    x pgsim._text := pgsim._text_row(c);
BEGIN
    IF x.documents IS NULL THEN
        PERFORM pgsim._require_select(c.relation, c.relation);
        SELECT pg_total_relation_size(pgsim._text_backend_index(c, t)) INTO bytes FROM pgsim._text_backend AS t WHERE t.collection_id = c.id;
        RETURN;
    END IF;
    PERFORM pgsim._require_select(c.relation, x.documents);
    IF row_security_active(c.relation) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS032', MESSAGE = format('row-level security hides rows of %s from role %I, and the statistics count all', c.relation, current_user),
            HINT = 'Ask as the owner of the table, where row-level security is not forced, or as a role with BYPASSRLS.';
    END IF;
    EXECUTE format('SELECT coalesce(sum(h.docs), 0), sum(h.length)::float8 / nullif(sum(h.docs), 0) FROM %s AS h WHERE h.term = 0', x.changes) INTO rows, mean_length;
    EXECUTE format('SELECT count(DISTINCT v.lexeme) FROM %s AS v', x.vocabulary) INTO words;
    EXECUTE format('SELECT count(*) FROM %s', x.changes) INTO pending;
    bytes := pg_total_relation_size(x.documents) + pg_total_relation_size(x.vocabulary) + pg_total_relation_size(x.changes);
END
$$;
COMMENT ON FUNCTION pgsim.text_statistics IS
$$Says what a collection's text index holds: rows with text, different words, mean length, bytes, and changes of counts not yet added up.

Rows and mean length are those of this moment, this transaction's own writes included; words that no row has any more are counted still.
Of an index that another extension keeps (a backend of enable_text) bytes alone are known, and the rest is NULL.
Errors: PS001, PS006, PS032, PS035.$$;
