CREATE FUNCTION pgsim._check_slices(slices jsonb, dim int, element text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given record;
    range int4range;
    checked jsonb := '{}';
BEGIN
    IF slices IS NULL OR slices = 'null' THEN
        RETURN checked;
    ELSIF jsonb_typeof(slices) <> 'object' OR element = 'sparsevec' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('slices is %s%s', left(slices::text, 200), CASE element WHEN 'sparsevec' THEN '; sparse vectors have none' ELSE ', not an object of ranges by their names' END),
            HINT = 'For instance: slices => ''{"title": "[1,129)", "body": "[129,385)"}''; dimensions count from 1.';
    END IF;
    FOR given IN SELECT s.key AS name, s.value AS range FROM jsonb_each_text(slices) AS s LOOP
        PERFORM pgsim._check_name('slice', given.name);
        BEGIN
            range := given.range::int4range;
        EXCEPTION WHEN data_exception THEN
            range := NULL;
        END;
        IF range IS NULL OR isempty(range) OR coalesce(lower(range), 0) < 1 OR coalesce(upper(range) - 1, dim + 1) > dim THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('slice %L is %s; it is a range of dimensions within [1,%s)', given.name, coalesce(quote_literal(left(given.range, 80)), 'NULL'), dim + 1),
                HINT = 'Dimensions count from 1, and [1,129) holds the first 128.';
        END IF;
        checked := checked || jsonb_build_object(given.name, range);
    END LOOP;
    RETURN checked;
END
$$;
COMMENT ON FUNCTION pgsim._check_slices IS 'The slices of a model, each as PostgreSQL writes its range. Raises PS010 for one that is no range of its dimensions.';
