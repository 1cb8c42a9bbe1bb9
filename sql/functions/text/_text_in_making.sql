CREATE FUNCTION pgsim._text_in_making(documents regclass, OUT c pgsim._collection, OUT x pgsim._text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pgsim._require_registrar();
    SELECT s.* INTO x FROM pgsim._text AS s WHERE s.documents = _text_in_making.documents;
    SELECT s.* INTO c FROM pgsim._collection AS s WHERE s.id = x.collection_id;
    IF c.id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = 'the text index that is being made was dropped meanwhile', HINT = 'Make it again with pgsim.enable_text.';
    ELSIF NOT x.complete OR NOT pgsim._text_usable(x, c.relation, c.key_columns) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('a column or the configuration of the text index of collection %L was renamed or dropped while it was made', c.name),
            HINT = format('Make it anew: SELECT pgsim.disable_text(%L), pgsim.enable_text(%1$L).', c.name);
    END IF;
    PERFORM pgsim._require_owner(c.relation);
    PERFORM pgsim._require_all_texts(c);
END
$$;
COMMENT ON FUNCTION pgsim._text_in_making IS 'The collection and the text index whose documents are in a table, between two steps of its making; PS035 where it is gone.';
