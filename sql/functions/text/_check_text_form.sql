CREATE FUNCTION pgsim._check_text_form(x pgsim._text, form text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF x.documents IS NULL AND form IS DISTINCT FROM 'any' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010',
            MESSAGE = format('text_form is %s; backend %s knows any alone', coalesce(quote_literal(left(form, 80)), 'NULL'),
                             (SELECT s.backend FROM pgsim._text_backend AS s WHERE s.collection_id = x.collection_id)),
            HINT = 'Leave text_form out, or have pgsim keep the text index: disable_text, and enable_text without a backend.';
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_text_form IS 'Raises PS010 for a form of query that the backend of a text index cannot answer.';
