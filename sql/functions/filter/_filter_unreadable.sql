CREATE FUNCTION pgsim._filter_unreadable(relation regclass, columns text[], label text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'PS032', MESSAGE = format('%L: role %I may not read %s, into which the path leads', left(label, 200), current_user, relation),
        HINT = (SELECT format('GRANT USAGE ON SCHEMA %1$s TO %2$I; GRANT SELECT (%3$s) ON %4$s TO %2$I;', r.relnamespace::regnamespace, current_user,
                              (SELECT string_agg(quote_ident(c), ', ') FROM unnest(columns) AS c), relation)
                FROM pg_class AS r WHERE r.oid = relation);
END
$$;
COMMENT ON FUNCTION pgsim._filter_unreadable IS 'Raises PS032: the caller may not SELECT these columns of a related table.';
