-- Tells Delineate of each series that has come in completely, so that its volume is ready before anyone opens it.
--
-- In Orthanc's configuration:
--
--   "LuaScripts": ["/path/to/preload.lua"],
--   "Delineate": {
--     "Url": "http://127.0.0.1:8100/delineate",  // the service, as Orthanc reaches it
--     "Token": "...",                            // one of DELINEATE_TOKENS; leave it out or empty if there is none
--     "Modalities": ["CT", "MR", "PT"]           // or "CT,MR,PT"; all others are left alone
--   }
--
-- Orthanc calls this "StableAge" seconds (60 by default) after the last instance of a series, again if more come later.
--
-- Orthanc takes no instance while a Lua function runs: HttpPut to a service that hangs would stop the archive for
-- "HttpTimeout" seconds. So curl does it in the background. The service answers at once and loads later; if it is down,
-- curl tries again for two minutes. Failures are written to Orthanc's standard error (its log, `journalctl -u orthanc`,
-- or the container's log). Without curl on this machine, HttpPut has to do.

-- Reads the series and curl's configuration, so that the token is on no command line, and lets curl go on alone.
local IN_BACKGROUND = [[
read -r series
config=$(cat)
{
  printf '%s\n' "$config" |
    curl --config - --silent --show-error --fail --output /dev/null \
      --connect-timeout 5 --max-time 30 --retry 6 --retry-connrefused --retry-max-time 120 ||
    echo "Delineate: series $series was not announced" >&2
} &
]]

local earlier = OnStableSeries  -- of another script, which goes on to work
local delineate = GetOrthancConfiguration()['Delineate'] or {}
local modalities = {}
local listed = delineate['Modalities'] or {}
for modality in (type(listed) == 'table' and table.concat(listed, ',') or listed):gmatch('[^,%s]+') do
  modalities[modality] = true
end
local found = os.execute('command -v curl >/dev/null 2>&1')
local has_curl = found == true or found == 0  -- Lua 5.2 or 5.1

local function given(name)
  local value = delineate[name]
  return value ~= nil and value ~= ''
end

local function is_uid(text)
  return type(text) == 'string' and #text <= 64 and text:match('^[0-9.]+$') ~= nil
end

local function quoted(text)
  return '"' .. text:gsub('[\\"]', '\\%0') .. '"'
end

local function headers()
  local all = { ['Content-Type'] = 'application/json' }
  if given('Token') then
    all['Authorization'] = 'Bearer ' .. delineate['Token']
  end
  return all
end

local function with_curl(url, body, series)
  local config = { 'url = ' .. quoted(url), 'request = "PUT"', 'data = ' .. quoted(body) }
  for name, value in pairs(headers()) do
    table.insert(config, 'header = ' .. quoted(name .. ': ' .. value))
  end
  local shell = io.popen(IN_BACKGROUND, 'w')
  shell:write(series, '\n', table.concat(config, '\n'), '\n')
  shell:close()
end

local function with_orthanc(url, body)
  HttpPut(url, body, headers())  -- Orthanc logs what goes wrong
end

local function announce(id, tags)
  local study = ParseJson(RestApiGet('/series/' .. id .. '/study'))['MainDicomTags']['StudyInstanceUID']
  local series = tags['SeriesInstanceUID']
  if not (is_uid(study) and is_uid(series)) then
    print('Delineate: series ' .. id .. ' is left alone: its UIDs are no UIDs')
    return
  end
  print('Delineate: announcing series ' .. series)
  local send = has_curl and with_curl or with_orthanc
  send(delineate['Url'] .. '/preloads/' .. series, '{"study_instance_uid":"' .. study .. '","background":true}', series)
end

function OnStableSeries(id, tags, metadata)
  if earlier then
    earlier(id, tags, metadata)
  end
  if given('Url') and modalities[tags['Modality']] then
    local done, fault = pcall(announce, id, tags)
    if not done then
      print('Delineate: series ' .. id .. ' was not announced: ' .. tostring(fault))
    end
  end
end

if not given('Url') or next(modalities) == nil then
  print('Delineate: no series are announced: set Url and Modalities under "Delineate" in the configuration')
elseif not has_curl then
  print('Delineate: curl is not installed: Orthanc itself waits for the service at each series')
end
