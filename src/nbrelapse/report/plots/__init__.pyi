from .attributions import patient_waterfall as patient_waterfall
from .coverage import patients_looked_at as patients_looked_at
from .performance import incidence_course as incidence_course
from .performance import learning_curve as learning_curve
