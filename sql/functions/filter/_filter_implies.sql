CREATE FUNCTION pgsim._filter_implies(operator text, value jsonb, wide_operator text, wide_value jsonb) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given text := jsonb_typeof(value);
    wide text := jsonb_typeof(wide_value);
    listed jsonb := CASE operator WHEN '$eq' THEN jsonb_build_array(value) WHEN '$in' THEN CASE given WHEN 'array' THEN value END END;
BEGIN
    IF operator = wide_operator AND value = wide_value THEN
        RETURN true;
    ELSIF wide_operator = '$exists' AND wide_value = 'true' THEN
        RETURN pgsim._filter_on_null(jsonb_build_object(operator, value)) IS NOT TRUE;
    ELSIF wide_operator = '$ne' AND wide_value = 'null' THEN
        RETURN operator IN ('$gt', '$gte', '$lt', '$lte', '$like', '$ilike', '$contains') OR NOT listed @> '[null]';
    ELSIF wide_operator = '$eq' AND wide_value = 'null' THEN
        RETURN operator = '$exists' AND value = 'false';
    ELSIF wide_operator IN ('$contains', '$overlap') AND operator = wide_operator THEN
        value := CASE WHEN given IN ('array', 'object') THEN value ELSE jsonb_build_array(value) END;
        wide_value := CASE WHEN wide IN ('array', 'object') THEN wide_value ELSE jsonb_build_array(wide_value) END;
        IF operator = '$contains' THEN
            RETURN value @> wide_value;
        END IF;
        RETURN jsonb_typeof(value) = 'array' AND jsonb_typeof(wide_value) = 'array'
               AND NOT EXISTS (SELECT FROM jsonb_array_elements(value) AS e WHERE NOT EXISTS (SELECT FROM jsonb_array_elements(wide_value) AS w WHERE w = e));
    ELSIF wide_operator = '$contained' AND operator = wide_operator THEN
        RETURN value <@ wide_value;
    ELSIF listed IS NOT NULL THEN
        -- A number that a column's type cannot hold is left out of $in, and compared elsewhere.
        RETURN NOT EXISTS (
            SELECT FROM jsonb_array_elements(listed) AS e
            WHERE CASE jsonb_typeof(e) WHEN 'number' THEN NOT pgsim._filter_fits('real', e::numeric) END
               OR CASE wide_operator
                      WHEN '$eq' THEN e <> wide_value
                      WHEN '$in' THEN wide <> 'array' OR NOT EXISTS (SELECT FROM jsonb_array_elements(CASE wide WHEN 'array' THEN wide_value END) AS w WHERE w = e)
                      WHEN '$gt' THEN NOT pgsim._filter_beyond(e, wide_value, true)
                      WHEN '$gte' THEN NOT pgsim._filter_beyond(e, wide_value, false)
                      WHEN '$lt' THEN NOT pgsim._filter_beyond(wide_value, e, true)
                      WHEN '$lte' THEN NOT pgsim._filter_beyond(wide_value, e, false)
                      ELSE true END);
    ELSIF operator IN ('$gt', '$gte') AND wide_operator IN ('$gt', '$gte') THEN
        RETURN pgsim._filter_beyond(value, wide_value, operator = '$gte' AND wide_operator = '$gt');
    ELSIF operator IN ('$lt', '$lte') AND wide_operator IN ('$lt', '$lte') THEN
        RETURN pgsim._filter_beyond(wide_value, value, operator = '$lte' AND wide_operator = '$lt');
    END IF;
    RETURN false;
END
$$;
COMMENT ON FUNCTION pgsim._filter_implies IS 'Whether what meets one condition on a path meets a second one, whatever type the column has; false when unsure.';
