CREATE FUNCTION pgsim._trial_turn(t pgsim._target, keys text[], vectors vector[], queries vector[]) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF to_regclass('pg_temp._pgsim_trial_turned') IS NULL THEN
        EXECUTE format('CREATE TEMPORARY TABLE _pgsim_trial_turned (key text, v %s.%I(%s), r %1$s.vector)', t.vector_schema, t.element, t.dim);
    END IF;
    EXECUTE 'INSERT INTO pg_temp._pgsim_trial_turned SELECT s.key, s.v, u.r FROM unnest($1, $2) AS u (key, r) JOIN pg_temp._pgsim_trial AS s ON s.key = u.key' USING keys, vectors;
    IF queries IS NOT NULL THEN
        EXECUTE 'UPDATE pg_temp._pgsim_trial_query SET turned = $1[number]' USING queries;
        DROP TABLE pg_temp._pgsim_trial;
        ALTER TABLE pg_temp._pgsim_trial_turned RENAME TO _pgsim_trial;
        EXECUTE 'ANALYZE pg_temp._pgsim_trial';
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._trial_turn IS 'Gives copied rows their rotated prefixes, some rows at a time; with the last of them the queries theirs. New rows, since an update would leave the old ones behind.';
