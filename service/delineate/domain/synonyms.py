"""English words that mean the same in an anatomy search.

Each group is written as it would be typed, in lower case; any member finds what the others find. Only words whose
equivalence does not depend on the context are here: this is a help for finding a code, never a translation of one.
"""

from __future__ import annotations

SYNONYMS: tuple[tuple[str, ...], ...] = (
    ("kidney", "renal"),
    ("liver", "hepatic"),
    ("heart", "cardiac"),
    ("lung", "pulmonary"),
    ("brain", "cerebral", "encephalon"),
    ("spleen", "splenic", "lien"),
    ("stomach", "gastric"),
    ("pancreas", "pancreatic"),
    ("adrenal gland", "adrenal", "suprarenal gland"),
    ("urinary bladder", "bladder", "vesical"),
    ("gallbladder", "gall bladder", "cholecyst"),
    ("bile duct", "biliary", "choledochus"),
    ("esophagus", "oesophagus", "gullet", "esophageal", "oesophageal"),
    ("trachea", "windpipe", "tracheal"),
    ("bronchus", "bronchial", "airway"),
    ("small intestine", "small bowel", "intestine", "bowel"),
    ("colon", "large intestine", "large bowel"),
    ("rectum", "rectal"),
    ("duodenum", "duodenal"),
    ("uterus", "womb", "uterine"),
    ("ovary", "ovarian"),
    ("prostate", "prostatic"),
    ("testis", "testicle", "testicular"),
    ("chest", "thorax", "thoracic"),
    ("breast", "mammary gland", "mamma"),
    ("thyroid", "thyroid gland"),
    ("parotid", "parotid gland", "salivary gland"),
    ("eye", "eyeball", "globe", "ocular"),
    ("skull", "cranium"),
    ("vertebra", "vertebral body", "spine bone"),
    ("spine", "vertebral column", "spinal column", "backbone"),
    ("spinal cord", "medulla spinalis"),
    ("rib", "costal"),
    ("sternum", "breastbone"),
    ("clavicle", "collarbone"),
    ("scapula", "shoulder blade"),
    ("femur", "thigh bone", "femoral"),
    ("patella", "kneecap"),
    ("mandible", "lower jaw", "jaw bone"),
    ("maxilla", "upper jaw"),
    ("aorta", "aortic"),
    ("inferior vena cava", "ivc"),
    ("superior vena cava", "svc"),
    ("left anterior descending coronary artery", "lad"),
    ("right coronary artery", "rca"),
    ("hippocampus", "hippocampal"),
    ("lateral ventricle", "cerebral ventricle"),
    ("ventricle", "ventricular"),
    ("atrium", "atrial"),
    ("artery", "arterial"),
    ("vein", "venous"),
    ("blood vessel", "vessel", "vascular structure"),
    ("lymph node", "lymph gland", "nodal"),
    ("bone", "osseous", "skeletal"),
    ("muscle", "muscular"),
    ("fat", "adipose tissue"),
    ("skin", "cutaneous"),
    ("gray matter", "grey matter"),
    ("tumor", "tumour", "neoplasm", "lesion", "mass", "cancer"),
    ("neoplasm secondary", "metastasis", "metastatic", "secondary tumour", "secondary tumor"),
    ("neoplasm primary", "primary tumour", "primary tumor"),
    ("edema", "oedema", "swelling"),
    ("hemorrhage", "haemorrhage", "bleeding"),
    ("blood clot", "thrombus", "clot"),
    ("feces", "faeces", "stool"),
    ("contrast agent", "contrast medium"),
)

COMMON: tuple[str, ...] = (
    "10200004",  # liver
    "64033007",  # kidney
    "78961009",  # spleen
    "15776009",  # pancreas
    "28231008",  # gallbladder
    "23451007",  # adrenal gland
    "69695003",  # stomach
    "71854001",  # colon
    "89837001",  # bladder
    "41216001",  # prostate
    "35039007",  # uterus
    "39607008",  # lung
    "80891009",  # heart
    "15825003",  # aorta
    "69748006",  # thyroid
    "12738006",  # brain
    "66720007",  # lateral ventricle
    "3138006",  # bone
    "51282000",  # vertebra
    "59441001",  # lymph node
    "52988006",  # lesion
    "4147007",  # mass
    "108369006",  # neoplasm
    "367643001",  # cyst
    "50960005",  # hemorrhage
)
"""SNOMED CT codes of the types that an empty query lists, in this order."""
